# Puts what comes by stdin into ~/.local/bin. The laptop is told what this host is and has, and answers "keep", or "put SIZE SUM"
# and that many bytes.
new=
moshpunch_receive() {
    umask go-w
    said=$(mkdir -p "$place" 2>&1) || moshpunch_fails make "$said"
    moshpunch_remove_stale
    new=$place/.moshpunch-install.$moshpunch_node.$$
    rm -f "$new"
    said=$(sh -c 'set -C; exec cat >"$1"' sh "$new" 2>&1) || moshpunch_fails write "$said"
    moshpunch_is_whole || moshpunch_fails short
    said=$(chmod 755 "$new" 2>&1) || moshpunch_fails write "$said"
    [ -x "$new" ] || moshpunch_fails noexec
    is=$(moshpunch_answer "$new" 2>&1)
    case $is in
        'moshpunch '*) ;;
        *) moshpunch_fails run "${is#"$new: "}" ;;
    esac
    # Where there is no cksum, only now.
    [ -x "$target" ] && cmp -s "$new" "$target" 2>/dev/null && return
    was=
    [ ! -e "$target" ] || was=$(moshpunch_answer "$target" 2>&1)
    said=$(mv -f "$new" "$target" 2>&1) || moshpunch_fails replace "$said"
    new=
    moshpunch_say "put $is"
    [ -z "$was" ] || moshpunch_say "was $was"
}

moshpunch_is_whole() {
    if command -v cksum >/dev/null; then
        [ "$(cksum <"$new")" = "$sum $size" ]
    else
        [ "$(($(wc -c <"$new")))" -eq "$size" ]
    fi
}

moshpunch_tell_missing() {
    moshpunch_each moshpunch_runs mosh-server && return
    for manager in apt-get dnf yum pacman apk zypper opkg ''; do
        if command -v "$manager" >/dev/null || [ -x "/sbin/$manager" ] && [ -n "$manager" ]; then break; fi
    done
    moshpunch_say "lacks-mosh $manager"
}

trap '[ -z "$new" ] || rm -f "$new"' EXIT
trap 'exit 1' HUP INT TERM PIPE
[ ! -d "$target" ] || moshpunch_fails directory
moshpunch_say "system $(uname -sm)"
[ ! -x "$target" ] || moshpunch_say "has $(cksum 2>/dev/null <"$target")"
moshpunch_say ready
# What has no end of its line was cut off.
read -r asked size sum || exit 1
case $asked in
    put) moshpunch_receive ;;
    keep) ;;
    *) exit 1 ;;
esac
moshpunch_tell_found
moshpunch_tell_missing
moshpunch_say 'done'
