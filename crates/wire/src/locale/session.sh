# What mosh-server runs where it has a locale that is not the user's: the shell, or the command, in the user's own.
# Arguments: those that mosh-server would have had.
moshpunch_client_locale "$@" 2>/dev/null
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    shift
done
if [ $# -gt 1 ]; then
    shift
    exec "$@"
fi
# As mosh-server greets where it starts a shell itself.
if [ ! -e .hushlogin ] && [ ! -h .hushlogin ]; then
    cat /run/motd.dynamic 2>/dev/null || cat /var/run/motd.dynamic 2>/dev/null
    cat /etc/motd 2>/dev/null
fi
exec "${SHELL:-/bin/sh}" -l
