# In mosh's terminal on the host, in place of the shell: a session of tmux, which is attached to or created.
# Arguments: the session's name, `Tc` if the user's terminal has 24-bit colours or nothing, and a command, if any.
#
# tmux's server belongs to all sessions of the user. So only options of this session and of this client are set.

name=$1 colours=$2
shift 2

plain() {
    printf 'moshpunch: --tmux: %s\n' "$1"
    shift
    [ $# -gt 0 ] || set -- "${SHELL:-/bin/sh}" -l
    exec "$@"
}

[ -z "${TMUX-}" ] || plain 'this is inside tmux already; nothing is nested' "$@"
version=$(tmux -V 2>/dev/null) || plain 'this host has no tmux; install it (Debian: apt install tmux)' "$@"
case ${version#tmux } in
    # From 3.2 on, a client brings its own description of its terminal.
    [0-2].* | 3.[01] | 3.[01][!0-9]*) plain "this host has $version; 3.2 or newer is needed" "$@" ;;
esac

# The placeholder gives way once the session has its options. A user's destroy-unattached would end the session
# before anybody is attached.
problem=$(
    tmux new-session -d -s "$name" ${colours:+-e COLORTERM=truecolor} cat \; \
        set-option -t "=$name:" destroy-unattached off 2>&1
) && is_new=yes
tmux has-session -t "=$name" 2>/dev/null || plain "no session here: $problem" "$@"
tmux set-option -t "=$name:" mouse on

knows() {
    ! command -v infocmp >/dev/null || infocmp "$1" >/dev/null 2>&1
}

# The terminal that programs in the session are to see, where tmux would name one without colours or unknown here.
better_terminal() {
    usual=$(tmux show-options -sv default-terminal)
    case $usual in
        *256color* | *-direct) if knows "$usual"; then return; fi ;;
    esac
    for terminal in tmux-256color screen-256color; do
        if knows "$terminal"; then
            echo "$terminal"
            return
        fi
    done
}
terminal=$(better_terminal)

# tmux would give a single word to a shell, and end its own command at a semicolon that ends a word.
[ $# -ne 1 ] || set -- env "$1"
for word in "$@"; do
    shift
    case $word in
        *\;) set -- "$@" "${word%;}\\;" ;;
        *) set -- "$@" "$word" ;;
    esac
done
if [ -n "${is_new-}" ]; then
    if [ -n "$terminal" ] && [ -z "$(tmux show-options -gv default-command)" ]; then
        # shellcheck disable=SC2016 # for the shell in the session
        tmux set-option -t "=$name:" default-command "exec env TERM=$terminal "'"$SHELL" -l'
    fi
    tmux new-window -k -t "=$name:^" ${terminal:+-e "TERM=$terminal"} -- "$@"
elif [ $# -gt 0 ]; then
    tmux new-window -t "=$name:" ${terminal:+-e "TERM=$terminal"} -- "$@"
fi

# mosh 1.4 passes on the clipboard that is named c, which tmux leaves out. By a name that begins with xterm, tmux
# would take its own word for what the terminal can do.
attach_as_to_mosh() {
    directory=$(mktemp -d) || return
    trap 'rm -rf "$directory"' EXIT
    trap 'exit 1' HUP TERM
    printf 'moshpunch|mosh as tmux is to see it,\n\t%sMs=\\E]52;c%%p1%%.0s;%%p2%%s\\007,\n\tuse=%s,\n' \
        "${colours:+$colours, }" "$TERM" >"$directory/source"
    tic -x -o "$directory" "$directory/source" 2>/dev/null || return
    TERM=moshpunch TERMINFO=$directory attach
}

attach() {
    tmux -u attach-session -t "=$name"
}

if ! attach_as_to_mosh && tmux has-session -t "=$name" 2>/dev/null; then
    attach
fi
