# Starts what the host has. Arguments: those of mosh-server. Set before: what stock mosh-server is told of where to listen
# (moshpunch_bind), whether the user asks for the address of ssh (moshpunch_remote), which channel ours is asked for
# (moshpunch_channel), and moshpunch_session.

if moshpunch_ours; then
    [ -z "$moshpunch_remote" ] || moshpunch_address
    printf '\nMOSHPUNCH PRESENT\n'
    MOSHPUNCH_OFFER=1
    export MOSHPUNCH_OFFER
    moshpunch_ask_for_channel
    exec "$file" server "$@"
elif [ -n "$complaint" ]; then
    printf '\nMOSHPUNCH BROKEN %s\n' "$complaint"
else
    printf '\nMOSHPUNCH ABSENT\n'
fi
moshpunch_address
shift
set -- new $moshpunch_bind "$@"

moshpunch_locale=$(moshpunch_needed_locale "$@" 2>/dev/null)
if [ -n "$moshpunch_locale" ]; then
    printf '\nMOSHPUNCH LOCALE %s\n' "$moshpunch_locale"
    LC_ALL=$moshpunch_locale
    export LC_ALL
    # The options, and after them a shell that gets all arguments.
    moshpunch_count=$#
    for moshpunch_word; do
        [ "$moshpunch_word" != -- ] || break
        set -- "$@" "$moshpunch_word"
    done
    set -- "$@" -- sh -c "$moshpunch_session" moshpunch
    while [ "$moshpunch_count" -gt 0 ]; do
        set -- "$@" "$1"
        shift
        moshpunch_count=$((moshpunch_count - 1))
    done
fi

moshpunch_each moshpunch_runs mosh-server
exec "${file:-mosh-server}" "$@"
