# A locale of UTF-8 for mosh-server, if neither the host's own nor that of its arguments is one. Any complaint counts:
# setlocale(3) refuses all where one part of it is unknown. Some shells complain, too.
moshpunch_is_utf8() {
    [ "$(locale charmap 2>&1)" = UTF-8 ]
}

moshpunch_needed_locale() (
    if ! command -v locale >/dev/null || moshpunch_is_utf8; then exit; fi
    moshpunch_client_locale "$@"
    if moshpunch_is_utf8; then exit; fi
    for locale in C.UTF-8 $(locale -a 2>/dev/null | grep -i 'utf-*8$'); do
        LC_ALL=$locale
        export LC_ALL
        if moshpunch_is_utf8; then
            printf '%s\n' "$locale"
            exit
        fi
    done
)
