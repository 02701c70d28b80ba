# Asks for the offer of a session that runs. Argument: its port.
moshpunch_ours || exit 127
exec "$file" server offer "$1"
