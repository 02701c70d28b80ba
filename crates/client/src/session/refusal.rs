//! Whether a login failed because it was refused, or for want of a network: by ssh's last words, since banners and
//! start-up files stand before them.

use crate::login::diagnosis::words_of_ssh::is_afterwards;
use crate::session::occasions::Ended;

/// No cause either: what ssh -v tells, and the end of a connection through another ssh.
const OF_NO_CAUSE: [&str; 5] =
    ["debug", "Connection closed by UNKNOWN", "OpenSSH_", "Transferred: ", "Bytes per second: "];

/// What ssh tells at DEBUG while the host has yet to let it in.
const AT_THE_DOOR: [&str; 4] = [
    "Authentications that can continue",
    "Next authentication method",
    "Offering public key",
    "Server accepts key",
];

/// And once it has.
const LET_IN: &str = "Authenticated to ";

/// Whatever else is said is said again by whoever tries again.
const NETWORK: [&str; 14] = [
    "connect to host",
    "connect failed",
    "connection refused",
    "connection closed",
    "closed the connection",
    "could not resolve",
    "name resolution",
    "timed out",
    "timeout",
    "reset",
    "broken pipe",
    "unreachable",
    "no route to host",
    "network error",
];

/// What says nothing at all was told to be quiet: it is rather believed to be refused than tried for ever. So may be what
/// was started on the way.
pub(crate) fn how_it_failed(last_words: &[u8]) -> Ended {
    let text = String::from_utf8_lossy(last_words);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).rev().peekable();
    let is_silent = lines.peek().is_none();
    let tells_none = |line: &&str| OF_NO_CAUSE.iter().any(|word| line.starts_with(word));
    let cause = lines.find(|line| !is_afterwards(line) && !tells_none(line));
    match cause.map(str::to_lowercase) {
        Some(cause) if is_of_the_network(&cause) => Ended::Failed,
        None if !is_silent => Ended::Doubtful,
        _ => Ended::Refused,
    }
}

/// Whether the host waits for what nobody answers, as an agent that asks before it signs: it counts that, too.
pub(crate) fn is_at_the_door(last_words: &[u8]) -> bool {
    let text = String::from_utf8_lossy(last_words);
    let since = text.rsplit(LET_IN).next().unwrap_or_default();
    AT_THE_DOOR.iter().any(|words| since.contains(words))
}

fn is_of_the_network(cause: &str) -> bool {
    NETWORK.iter().any(|word| cause.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_refused_is_told_so() {
        for words in [
            "alice@router: Permission denied (publickey,password).\r\n",
            "No ED25519 host key is known for router and you have requested strict checking.\r\n\
             Host key verification failed.\r\n",
            "Received disconnect from 20.0.0.1 port 22:2: Too many authentication failures\r\n\
             Disconnected from 20.0.0.1 port 22\r\n",
            "Unable to negotiate with 20.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa\r\n",
            "dbclient: Connection to alice@router:22 exited: No auth methods could be used.\n",
            "",
        ] {
            assert_eq!(how_it_failed(words.as_bytes()), Ended::Refused, "{words}");
        }
    }

    #[test]
    fn a_refusal_of_a_jump_host_is_one() {
        let refused = "alice@gw: Permission denied (password).\r\n";
        let afterwards = "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n";
        assert_eq!(how_it_failed(format!("{refused}{afterwards}").as_bytes()), Ended::Refused);
        assert_eq!(how_it_failed(format!("{refused}{afterwards}{afterwards}").as_bytes()), Ended::Refused);
    }

    #[test]
    fn a_network_that_is_gone_is_no_refusal() {
        for words in [
            "ssh: connect to host 20.0.0.1 port 22: Network is unreachable\r\n",
            "ssh: connect to host 20.0.0.1 port 22: Connection refused\r\n",
            "ssh: Could not resolve hostname router: Temporary failure in name resolution\r\n",
            "Connection timed out during banner exchange\r\nConnection to 20.0.0.1 port 22 timed out\r\n",
            "kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 20.0.0.1 port 22\r\n",
            "channel 0: open failed: connect failed: No route to host\r\nstdio forwarding failed\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
            "ssh: connect to host gw port 22: Connection timed out\r\nConnection closed by UNKNOWN port 65535\r\n",
            "dbclient: Connection to alice@router:22 exited: Connect failed: No route to host\n",
        ] {
            assert_eq!(how_it_failed(words.as_bytes()), Ended::Failed, "{words}");
        }
    }

    #[test]
    fn a_banner_decides_nothing() {
        let banner = "Permission denied to whom is not authorised.\r\n";
        let network = "Connection reset by 20.0.0.1 port 22\r\n";
        assert_eq!(how_it_failed(format!("{banner}{network}").as_bytes()), Ended::Failed);
        let banner = "A connection that is idle will be reset.\r\n";
        let refused = "alice@router: Permission denied (publickey).\r\n";
        assert_eq!(how_it_failed(format!("{banner}{refused}").as_bytes()), Ended::Refused);
    }

    #[test]
    fn a_way_that_closes_without_a_word_is_doubtful() {
        for words in [
            "Connection closed by UNKNOWN port 65535\r\n",
            "debug1: x\r\nkex_exchange_identification: Connection closed by remote host\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
        ] {
            assert_eq!(how_it_failed(words.as_bytes()), Ended::Doubtful, "{words}");
        }
    }

    #[test]
    fn who_is_let_in_is_not_at_the_door_any_more() {
        let offered = "debug1: Next authentication method: publickey\r\ndebug1: Server accepts key: x\r\n";
        let let_in =
            "Authenticated to gw ([20.0.0.1]:22) using \"publickey\".\r\ndebug1: Entering session.\r\n";
        for (words, expected) in [
            ("debug1: Connecting to router port 22.\r\n".to_owned(), false),
            (offered.to_owned(), true),
            (format!("{offered}{let_in}"), false),
            (format!("{offered}{let_in}{offered}"), true),
        ] {
            assert_eq!(is_at_the_door(words.as_bytes()), expected, "{words}");
        }
    }
}
