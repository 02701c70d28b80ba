# Takes the locale that mosh-server's arguments bring, as mosh-server does where the host's own is not one of UTF-8.
moshpunch_client_locale() {
    unset LANG LANGUAGE LC_CTYPE LC_NUMERIC LC_TIME LC_COLLATE LC_MONETARY LC_MESSAGES LC_PAPER LC_NAME LC_ADDRESS \
        LC_TELEPHONE LC_MEASUREMENT LC_IDENTIFICATION LC_ALL
    while [ $# -gt 1 ] && [ "$1" != -- ]; do
        if [ "$1" = -l ]; then
            shift
            case ${1%%=*} in
                *[!A-Z_]*) ;;
                LANG | LANGUAGE | LC_*) export "$1" ;;
            esac
        fi
        shift
    done
}
