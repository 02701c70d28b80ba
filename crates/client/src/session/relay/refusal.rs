//! Why a TURN server relays nothing.

use turn_client_proto::types::stun::attribute::ErrorCode;
use turn_client_proto::types::stun::message::{Message, MessageClass};

/// As its last error tells, or its silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Silent,
    Unknown,
    Credentials,
    Quota,
    /// RFC 8656 §7.3 and §9.2: it relays to no such address, or for no such user.
    Forbidden,
    Full,
    Other(u16),
    /// Its address leads into a network of its own.
    Inside,
    /// Nothing that a relay may be asked for: no address of the host is public.
    NoPeer,
    /// Its name has no address, or this machine no way there.
    NoWay,
}

impl Refusal {
    /// Of an answer that is one. What a client is asked first, or again, is none.
    pub(super) fn of(datagram: &[u8], has_said_who_it_is: bool) -> Option<Self> {
        let message =
            Message::from_bytes(datagram).ok().filter(|message| message.class() == MessageClass::Error)?;
        match message.attribute::<ErrorCode>().ok()?.code() {
            401 if !has_said_who_it_is => None,
            401 | 441 => Some(Self::Credentials),
            403 => Some(Self::Forbidden),
            438 => None,
            486 => Some(Self::Quota),
            508 => Some(Self::Full),
            code => Some(Self::Other(code)),
        }
    }

    pub(crate) fn what(self, server: &str) -> String {
        match self {
            Self::Silent => format!("the TURN server {server} does not answer"),
            Self::Unknown => format!("the TURN server {server} does not relay any more"),
            Self::Credentials => format!("the TURN server {server} refuses this user or password"),
            Self::Quota => format!("the TURN server {server} relays no more for this user (486)"),
            Self::Forbidden => {
                format!("the TURN server {server} relays nothing to the host's addresses (403)")
            }
            Self::Full => format!("the TURN server {server} has no address left (508)"),
            Self::Other(code) => format!("the TURN server {server} refuses with error {code}"),
            Self::Inside => {
                format!(
                    "the TURN server {server} gives an address that is not public, where no host reaches it"
                )
            }
            Self::NoPeer => {
                format!("the TURN server {server} was not asked, for no public address of the host is known")
            }
            Self::NoWay => format!("there is no way to the TURN server {server}"),
        }
    }

    pub(crate) fn cure(self) -> &'static str {
        match self {
            Self::Silent => {
                "look whether it runs, and whether UDP gets there and to the ports that it relays by"
            }
            Self::Unknown => "look whether it was restarted; another session asks it again",
            Self::Credentials => {
                "look at turn_user and turn_password_file, or turn_secret_file, and for the latter at this machine's clock"
            }
            Self::Quota => {
                "end other sessions, or have who runs it raise user-quota; what a killed session had ends by itself"
            }
            Self::Forbidden => "have who runs it look at denied-peer-ip and allowed-peer-ip",
            Self::Full => "have who runs it raise total-quota, or give it more ports",
            Self::Other(_) => "ask who runs it what it means; its log has more",
            Self::Inside => "have who runs it say external-ip, if it is behind a NAT",
            Self::NoPeer => "a STUN server may find one: name it with --stun",
            Self::NoWay => "look at its name in --turn, and whether this network lets UDP out",
        }
    }
}

/// RFC 8489 §14.8.
#[cfg(test)]
pub(super) fn error(code: u16) -> Vec<u8> {
    let [class, number] = [code / 100, code % 100].map(|part| u8::try_from(part).unwrap());
    [&[0x01, 0x13, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], &[0, 9, 0, 4, 0, 0, class, number]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_error_is_told_and_its_questions_are_none() {
        for (code, has_said, expected) in [
            (401, false, None),
            (401, true, Some(Refusal::Credentials)),
            (438, true, None),
            (486, true, Some(Refusal::Quota)),
            (403, true, Some(Refusal::Forbidden)),
            (508, true, Some(Refusal::Full)),
            (437, true, Some(Refusal::Other(437))),
        ] {
            assert_eq!(Refusal::of(&error(code), has_said), expected, "{code}");
        }
        for none in [b"".as_slice(), b"garbage", &error(486)[..20], &[0x40; 64]] {
            assert_eq!(Refusal::of(none, true), None);
        }
    }
}
