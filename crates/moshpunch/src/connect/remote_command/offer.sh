# Asks for the offer of a session that runs. Argument: its port.
moshpunch_found=$(moshpunch_ours) || exit 127
exec "$moshpunch_found" server offer "$1"
