# Puts what comes by stdin into ~/.local/bin. The laptop is told what this host is and has, and answers "keep", or "put SIZE SUM"
# and that many bytes.
new=
# Each time that more has come, for as long as the script is there. What it starts keeps nothing of the login open.
moshpunch_tell_growth() {
    told=0
    while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        came=$(($(wc -c 2>/dev/null <"$new" || echo 0)))
        [ "$came" -eq "$told" ] || moshpunch_say "came $came" || break
        told=$came
    done
}

moshpunch_receive() {
    umask go-w
    said=$(mkdir -p "$place" 2>&1) || moshpunch_fails make "$said"
    moshpunch_remove_stale
    new=$place/.moshpunch-install.$moshpunch_node.$$
    rm -f "$new"
    moshpunch_tell_growth 2>/dev/null &
    said=$(sh -c 'set -C; exec cat >"$1"' sh "$new" 2>&1)
    written=$?
    # No other signal: bash may go on here by a child that has not forgotten the traps yet.
    { kill -9 "$!" && wait "$!"; } 2>/dev/null
    [ "$written" -eq 0 ] || moshpunch_fails write "$said"
    moshpunch_is_whole || moshpunch_fails short
    said=$(chmod 755 "$new" 2>&1) || moshpunch_fails write "$said"
    [ -x "$new" ] || moshpunch_fails noexec
    is=$(moshpunch_answer "$new" 2>&1)
    case $is in
        'moshpunch '*) ;;
        *) moshpunch_fails run "${is#"$new: "}" ;;
    esac
    # Where there is no cksum, only now.
    moshpunch_is_there && cmp -s "$new" "$target" 2>/dev/null && return
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

# A program that can be read to its end.
moshpunch_is_there() {
    [ -f "$target" ] && [ -x "$target" ]
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
! moshpunch_is_there || moshpunch_say "has $(cksum 2>/dev/null <"$target")"
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
