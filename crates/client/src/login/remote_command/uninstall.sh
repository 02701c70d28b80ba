# Takes ~/.local/bin/moshpunch away, if that is what it says to be. What runs of it goes on.
moshpunch_remove() {
    if [ -h "$target" ]; then
        moshpunch_fails link
    elif [ -d "$target" ]; then
        moshpunch_fails directory
    elif [ -e "$target" ]; then
        is=$(moshpunch_answer "$target" 2>&1)
        case $is in
            'moshpunch '*) ;;
            *) moshpunch_fails stranger "${is#"$target: "}" ;;
        esac
        said=$(rm -f "$target" 2>&1) || moshpunch_fails remove "$said"
        moshpunch_say "removed $is"
    fi
}

moshpunch_remove
moshpunch_remove_stale
moshpunch_tell_found
for left in "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/moshpunch" "/tmp/moshpunch-$(id -u)" \
    "${XDG_CACHE_HOME:-$HOME/.cache}/moshpunch" "${XDG_CONFIG_HOME:-$HOME/.config}/moshpunch"; do
    [ ! -d "$left" ] || moshpunch_say "leaves $left"
done
moshpunch_say 'done'
