//! A TURN server as the user names it: RFC 7065, by UDP.

use std::str::FromStr;

use super::uri_host::{host_and_port, is_host};

/// RFC 8656 §5.
const PORT: u16 = 3_478;

/// `turn:HOST[:PORT][?transport=udp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for TurnServer {
    /// What is wrong with it, and what it should be. What may hold a password is not repeated.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Err(
                "a TURN server's URI holds neither a user nor a password, which every user of this machine \
                        could read: say turn:HOST, turn_user and turn_password_file, and change the password"
                    .to_owned(),
            );
        }
        let expected = || format!("{text:?} is no TURN server: turn:HOST or turn:HOST:PORT was expected");
        let (scheme, rest) = text.split_once(':').ok_or_else(expected)?;
        let (rest, transport) = rest.split_once("?transport=").unwrap_or((rest, "udp"));
        match scheme.to_ascii_lowercase().as_str() {
            "turn" if transport.eq_ignore_ascii_case("udp") => {}
            "turn" | "turns" => {
                return Err(format!("{text:?}: TURN is spoken by UDP alone here: turn:HOST was expected"));
            }
            _ => return Err(expected()),
        }
        let (host, port) = host_and_port(rest, PORT).ok_or_else(expected)?;
        is_host(host).then(|| Self { host: host.to_owned(), port }).ok_or_else(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_or_without_a_port_is_one() {
        for (text, host, port) in [
            ("turn:turn.example.org", "turn.example.org", 3_478),
            ("TURN:20.0.0.3:3479?transport=udp", "20.0.0.3", 3_479),
            ("turn:[2a00:7::3]?transport=UDP", "2a00:7::3", 3_478),
            ("turn:[2a00:7::3]:5", "2a00:7::3", 5),
        ] {
            assert_eq!(text.parse(), Ok(TurnServer { host: host.into(), port }), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_with_what_it_should_be() {
        for text in [
            "",
            "turn.example.org",
            "turn:",
            "turn:-x",
            "turn://turn.example.org",
            "turn:host:0",
            "turn:host:65536",
            "turn:host?transport=tcp",
            "turn:host?other=udp",
            "turn:[::1",
            "turn:[::1]5",
            "stun:host",
            "turns:host",
        ] {
            let told = text.parse::<TurnServer>().unwrap_err();
            assert!(told.contains(&format!("{text:?}")) && told.contains("turn:HOST"), "{told}");
        }
    }

    #[test]
    fn one_with_a_password_is_refused_and_not_repeated() {
        for text in ["turn:alice:geheim@host", "turn:geheim@host", "turn:host?password=geheim@"] {
            let told = text.parse::<TurnServer>().unwrap_err();
            assert!(!told.contains("geheim") && told.contains("turn_password_file"), "{told}");
        }
    }
}
