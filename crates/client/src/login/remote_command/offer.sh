# Asks for the offer of a session that runs. Argument: its port. Set before: moshpunch_channel.
moshpunch_ours || exit 127
moshpunch_ask_for_channel
exec "$file" server offer "$1"
