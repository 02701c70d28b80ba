# What the host has, for the scripts that follow. The directories that are looked in beside PATH stay out of it: it is
# the session's.

# Calls `$1` with each file of the name `$2`, in their order, until that succeeds. `$file` is that one then.
moshpunch_each() {
    IFS=:
    set -f
    places=$PATH:${HOME-}/.local/bin:${HOME-}/.cargo/bin:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin
    for directory in $places; do
        file=$directory/$2
        case $directory in
            /*) if [ -e "$file" ] || [ -h "$file" ]; then "$1" && break; fi ;;
        esac
        file=
    done
    unset IFS
    set +f
    [ -n "$file" ]
}

moshpunch_runs() {
    [ -f "$file" ] && [ -x "$file" ]
}

# As timeout(1) does where there is one: what a program that has to be ended leaves behind is ended with it there. A shell
# would read a program of another processor as a script: that finds nothing to write to in /proc.
moshpunch_within() {
    (
        cd /proc 2>/dev/null || cd /
        if command -v timeout >/dev/null; then exec timeout -s KILL "$@"; fi
        seconds=$1
        shift
        "$@" &
        program=$!
        { sleep "$seconds"; kill -9 "$program"; } >/dev/null 2>&1 &
        wait "$program"
        status=$?
        kill "$!"
        # Of a signal, ksh says more than an exit status holds.
        [ "$status" -le 128 ] || exit 137
        exit "$status"
    )
}

# The line with a version, else the first with anything in it. Whoever keeps the pipe beyond the end is not waited for.
moshpunch_line() {
    first=
    while IFS= read -r line; do
        case $line in
            'moshpunch '*) first=$line && break ;;
            moshpunch_end) break ;;
            *[![:space:]]*) first=${first:-$line} ;;
        esac
    done
    printf '%.1000s\n' "$first"
}

# What it says of its version, if it does within so many seconds.
moshpunch_answer() {
    if [ -d "$1" ]; then
        echo 'is a directory'
    elif [ ! -e "$1" ]; then
        echo 'leads nowhere'
    elif [ ! -x "$1" ]; then
        echo 'may not be executed'
    else
        {
            moshpunch_within "${2-5}" "$1" --version 2>&1 </dev/null
            printf '\nmoshpunch_end\n' 2>/dev/null
        } | moshpunch_line
    fi
}

# Ours answers by its exit status, which costs two forks where it costs five to read what a program says.
moshpunch_is_here() {
    MOSHPUNCH_PRESENT=1
    export MOSHPUNCH_PRESENT
    moshpunch_within 4 "$file" --version >/dev/null 2>&1 </dev/null
    present=$?
    unset MOSHPUNCH_PRESENT
    [ "$present" -eq 79 ]
}

# What a signal has ended has hung, and will again.
moshpunch_answers() {
    case $tried in *":$file:"*) return 1 ;; esac
    tried=$tried$file: present=
    if moshpunch_runs && moshpunch_is_here; then return; fi
    seconds=5
    [ "${present:-0}" -le 128 ] || seconds=1
    answer=$(moshpunch_answer "$file" "$seconds" 2>&1)
    case $answer in
        'moshpunch '*) ;;
        *)
            answer=${answer#"$file: "}
            complaint=${complaint:-$file: ${answer:-says nothing}}
            return 1
            ;;
    esac
}

# The first moshpunch that runs is `$file` then. If none does, `$complaint` is the first that there is and what it printed.
moshpunch_ours() {
    tried=: complaint=
    moshpunch_each moshpunch_answers moshpunch
}

moshpunch_address() {
    if [ -n "${SSH_CONNECTION-}" ]; then printf '\nMOSH SSH_CONNECTION %s\n' "$SSH_CONNECTION"; fi
}

moshpunch_ask_for_channel() {
    if [ -n "$moshpunch_channel" ]; then
        MOSHPUNCH_CHANNEL=$moshpunch_channel
        export MOSHPUNCH_CHANNEL
    fi
}
