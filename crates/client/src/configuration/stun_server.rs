//! A STUN server as the user names it: RFC 7064, without TLS.

use std::str::FromStr;

use wire::stun::PORT;

use super::uri_host::{host_and_port, is_host};

/// `stun:HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StunServer {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for StunServer {
    /// What is wrong with it, and what it should be.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is no STUN server: stun:HOST or stun:HOST:PORT was expected");
        let (scheme, rest) = text.split_once(':').ok_or_else(expected)?;
        match scheme.to_ascii_lowercase().as_str() {
            "stun" => {}
            "stuns" => {
                return Err(format!("{text:?}: STUN is spoken by UDP alone here: stun:HOST was expected"));
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
            ("stun:stun.example.org", "stun.example.org", 3_478),
            ("STUN:20.0.0.3:19302", "20.0.0.3", 19_302),
            ("stun:[2a00:7::3]", "2a00:7::3", 3_478),
            ("stun:[2a00:7::3]:5", "2a00:7::3", 5),
        ] {
            assert_eq!(text.parse(), Ok(StunServer { host: host.into(), port }), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_with_what_it_should_be() {
        for text in [
            "",
            "stun.example.org",
            "stun.example.org:3478",
            "stun:",
            "stun:-x",
            "stun://stun.example.org",
            "stun:host:0",
            "stun:host:65536",
            "stun:host?transport=udp",
            "stun:user@host",
            "stun:[::1",
            "stun:[::1]5",
            "turn:host",
            "stuns:host",
        ] {
            let told = text.parse::<StunServer>().unwrap_err();
            assert!(told.contains(&format!("{text:?}")) && told.contains("stun:HOST"), "{told}");
        }
    }
}
