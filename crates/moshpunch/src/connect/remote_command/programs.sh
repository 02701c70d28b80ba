# What the host has, for the scripts that follow. The directories that are looked in beside PATH stay out of it: it is
# the session's.

# Every file of that name.
moshpunch_files() (
    IFS=:
    set -f
    places=$PATH:${HOME-}/.local/bin:${HOME-}/.cargo/bin:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin
    for directory in $places; do
        case $directory in
            /*) if [ -e "$directory/$1" ] || [ -h "$directory/$1" ]; then printf '%s\n' "$directory/$1"; fi ;;
        esac
    done
)

moshpunch_stock() {
    moshpunch_files mosh-server | while IFS= read -r file; do
        if [ -f "$file" ] && [ -x "$file" ]; then
            printf '%s\n' "$file"
            break
        fi
    done
}

# What it says of its version. A shell would read a program of another processor as a script: that finds nothing to
# write to in /proc.
moshpunch_answer() (
    exec 2>&1 </dev/null
    cd /proc 2>/dev/null || cd /
    if [ -d "$1" ]; then
        echo 'is a directory'
    elif [ ! -e "$1" ]; then
        echo 'leads nowhere'
    elif [ ! -x "$1" ]; then
        echo 'may not be executed'
    elif command -v timeout >/dev/null; then
        timeout 5 "$1" --version | head -c 1000
    else
        "$1" --version | head -c 1000
    fi
)

# The first moshpunch that runs. If none does: the first that there is and what it printed, and failure.
moshpunch_ours() (
    tried=: complaint=
    files=$(moshpunch_files moshpunch)
    IFS='
'
    set -f
    for file in $files; do
        case $tried in *":$file:"*) continue ;; esac
        tried=$tried$file:
        answer=$(moshpunch_answer "$file")
        case $answer in
            'moshpunch '*)
                printf '%s\n' "$file"
                exit
                ;;
        esac
        answer=$(printf '%s\n' "${answer#"$file: "}" | sed -n '/[^[:space:]]/{p;q;}')
        complaint=${complaint:-$file: ${answer:-ends without a word}}
    done
    printf '%s\n' "$complaint"
    exit 1
)

moshpunch_address() {
    if [ -n "${SSH_CONNECTION-}" ]; then printf '\nMOSH SSH_CONNECTION %s\n' "$SSH_CONNECTION"; fi
}
