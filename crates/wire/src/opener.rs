//! Openers: what the host sends from mosh-server's own socket so that the NATs and firewalls on its side let the laptop's
//! datagrams in, and what tells the laptop from where the host comes.
//!
//! An opener is [`LENGTH`] bytes: a label of 16, then the [`Cookie`] of the round that it belongs to, which was told over ssh.
//! mosh and mosh-server take it for a datagram that was forged, and pass over it; it is no STUN message either, for those begin
//! with two bits of zero.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Of an opener, in bytes.
pub const LENGTH: usize = 32;

const LABEL: [u8; 16] = *b"moshpunch opener";

/// By which a round knows its openers: 128 bits that only the two ends of the channel have been told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cookie([u8; 16]);

impl Cookie {
    /// Of bytes that nobody can guess.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The opener with this cookie.
    #[must_use]
    pub fn opener(self) -> [u8; LENGTH] {
        let mut opener = [0; LENGTH];
        let (label, cookie) = opener.split_at_mut(LABEL.len());
        label.copy_from_slice(&LABEL);
        cookie.copy_from_slice(&self.0);
        opener
    }

    /// The cookie of a datagram that is an opener.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Option<Self> {
        datagram.strip_prefix(&LABEL)?.try_into().ok().map(Self)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// It is not for logs.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie")
    }
}

/// Not 32 hexadecimal digits in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("32 hexadecimal digits expected")]
pub struct NotACookie;

impl FromStr for Cookie {
    type Err = NotACookie;

    fn from_str(text: &str) -> Result<Self, NotACookie> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits = Some(text).filter(|text| text.len() == 32 && text.bytes().all(is_digit));
        let number = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()).ok_or(NotACookie)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// Whether an opener may be sent there, and whether one end believes the other that it comes from there: one host's address
/// that means the same to both, and a port. So none of a link alone, none with a zone, and no loopback.
#[must_use]
pub fn is_target(target: SocketAddr) -> bool {
    let is_one_hosts = match target.ip() {
        IpAddr::V4(address) => {
            let is_beyond = address.is_broadcast() || address.octets()[0] == 0;
            !is_beyond && !address.is_link_local() && !address.is_loopback() && !address.is_multicast()
        }
        IpAddr::V6(address) => {
            let is_beyond = address.is_unspecified() || address.to_ipv4_mapped().is_some();
            !is_beyond
                && !address.is_unicast_link_local()
                && !address.is_loopback()
                && !address.is_multicast()
        }
    };
    let has_zone = matches!(target, SocketAddr::V6(target) if target.scope_id() != 0);
    is_one_hosts && !has_zone && target.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f";

    fn cookie() -> Cookie {
        DIGITS.parse().unwrap()
    }

    #[test]
    fn an_opener_is_known_by_its_cookie() {
        let opener = cookie().opener();
        assert_eq!(opener[..16], *b"moshpunch opener");
        assert_eq!(opener[16..], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(Cookie::of(&opener), Some(cookie()));
    }

    #[test]
    fn what_is_longer_or_shorter_or_has_another_label_is_none() {
        let opener = cookie().opener();
        let longer = [&opener[..], &[0]].concat();
        for other in [&opener[..31], &opener[1..], &longer, b"", &[0; LENGTH]] {
            assert_eq!(Cookie::of(other), None, "{other:?}");
        }
    }

    #[test]
    fn it_can_be_no_stun_message() {
        assert_ne!(cookie().opener()[0] & 0b1100_0000, 0);
    }

    #[test]
    fn a_cookie_is_told_in_32_digits_and_kept_out_of_logs() {
        assert_eq!(cookie().to_string(), DIGITS);
        assert_eq!(format!("{:?}", cookie()), "Cookie");
        let wrong =
            ["", &DIGITS[1..], "+00102030405060708090a0b0c0d0e0f", "000102030405060708090A0B0C0D0E0F"];
        for text in wrong {
            assert_eq!(text.parse::<Cookie>(), Err(NotACookie), "{text}");
        }
    }

    #[test]
    fn one_hosts_addresses_are_targets_and_no_others() {
        for target in ["20.0.0.9:1", "192.168.1.10:60001", "[2001:db8::1]:60001", "[fd00::1]:65535"] {
            assert!(is_target(target.parse().unwrap()), "{target}");
        }
        let others = [
            "20.0.0.9:0",
            "0.0.0.0:1",
            "0.1.2.3:1",
            "127.0.0.1:1",
            "127.9.9.9:1",
            "169.254.1.1:1",
            "224.0.0.1:1",
            "239.255.255.250:1900",
            "255.255.255.255:1",
            "[::]:1",
            "[::1]:1",
            "[fe80::1]:1",
            "[2001:db8::1%2]:1",
            "[ff02::1]:1",
            "[::ffff:20.0.0.9]:1",
        ];
        for target in others {
            assert!(!is_target(target.parse().unwrap()), "{target}");
        }
    }
}
