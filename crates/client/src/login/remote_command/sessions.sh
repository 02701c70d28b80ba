# Asks for the sessions there. Arguments: what begins ours, in the user's own text, if there is any, and its words.
ours=$1
shift
if [ -n "$ours" ]; then
    eval "$ours sessions \"\$@\""
    exit
fi
if moshpunch_ours; then exec "$file" sessions "$@"; fi
if [ -n "$complaint" ]; then printf 'moshpunch: %s\n' "$complaint" >&2; fi
exit 127
