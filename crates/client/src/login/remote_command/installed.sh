# What install.sh and uninstall.sh do alike for ~/.local/bin/moshpunch. Each line that the laptop is to read begins alike.
moshpunch_say() {
    printf '\nMOSHPUNCH INSTALL %s\n' "$1"
}

# Ends with what is in the way, and what a program said of it.
moshpunch_fails() {
    moshpunch_say "failed $1 $(printf '%.400s' "${2-}" | tr '\n' ' ')"
    exit 1
}

# Temporary files have their machine and process in their names: homes are shared between machines. What a killed process has
# left is removed; that of another machine, of which nobody knows here, after a day.
moshpunch_node=$(uname -n)
case $moshpunch_node in
    '' | *[!A-Za-z0-9.-]*) moshpunch_node=host ;;
esac
moshpunch_remove_stale() {
    for left in "$place"/.moshpunch-install.*; do
        [ -f "$left" ] || continue
        case $left in
            "$place/.moshpunch-install.$moshpunch_node.${left##*.}")
                kill -0 "${left##*.}" 2>/dev/null || rm -f "$left"
                ;;
            *) find "$left" -mtime +0 -exec rm -f {} \; ;;
        esac
    done
}

# What the next login will find.
moshpunch_tell_found() {
    if ! moshpunch_ours; then
        moshpunch_say "finds-none $complaint"
    elif [ "$file" = "$target" ] || [ "$file" -ef "$target" ] 2>/dev/null; then
        moshpunch_say finds-it
    else
        moshpunch_say "finds $file: $(moshpunch_answer "$file" 2>&1)"
    fi
}

case ${HOME-} in
    /*) ;;
    *) moshpunch_fails home ;;
esac
place=$HOME/.local/bin
target=$place/moshpunch
moshpunch_say "at $target"
