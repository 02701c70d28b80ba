# Asks for the offer of a session that runs. Arguments: its port, and the user's own text for ours, if there is any. Set
# before: moshpunch_channel.
moshpunch_ask_for_channel
if [ -n "${2-}" ]; then
    eval "$2 offer \"\$1\""
    exit
fi
moshpunch_ours || exit 127
exec "$file" server offer "$1"
