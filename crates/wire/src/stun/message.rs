//! A binding request, and what may come back.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Of a request, in bytes: a header alone (§5).
pub const REQUEST_LENGTH: usize = HEADER_LENGTH;

const HEADER_LENGTH: usize = 20;

/// Behind type and length of every message, so that it is told from the protocol before it (§5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Method and class (§5).
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

/// Attributes (§18.3).
const MAPPED_ADDRESS: u16 = 0x0001;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Of an address (§14.1).
const FAMILY_V4: u8 = 1;
const FAMILY_V6: u8 = 2;

/// One request with its answer: 96 bits that nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Transaction([u8; 12]);

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Where the request came from. Nobody has looked at what kind of address that is.
    Seen(SocketAddr),
    /// It does not serve us: an error of three digits (§14.8).
    Refused { code: u16 },
}

impl Transaction {
    #[must_use]
    pub fn new(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// A binding request.
    #[must_use]
    pub fn request(self) -> [u8; REQUEST_LENGTH] {
        let mut request = [0; REQUEST_LENGTH];
        request[..2].copy_from_slice(&BINDING_REQUEST.to_be_bytes());
        request[4..].copy_from_slice(&self.key());
        request
    }

    /// What a datagram says to it: nothing, if it is no answer, that of another, or says neither of the two.
    #[must_use]
    pub fn answer(self, datagram: &[u8]) -> Option<Answer> {
        let (header, body) = datagram.split_first_chunk::<HEADER_LENGTH>()?;
        let (start, key) = header.split_first_chunk::<4>()?;
        let [kind, length] = [[start[0], start[1]], [start[2], start[3]]].map(u16::from_be_bytes);
        if key != self.key() || usize::from(length) != body.len() {
            return None;
        }
        let attributes = attributes(body)?;
        // What the older protocol (RFC 3489) told beside is not known here, and does not make the address another.
        let first = |wanted| attributes.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value);
        match kind {
            BINDING_SUCCESS => {
                let seen = match first(XOR_MAPPED_ADDRESS) {
                    Some(value) => address(value, self.key()),
                    None => address(first(MAPPED_ADDRESS)?, [0; 16]),
                };
                seen.map(Answer::Seen)
            }
            BINDING_ERROR => error_code(first(ERROR_CODE)?).map(|code| Answer::Refused { code }),
            _ => None,
        }
    }

    /// With what precedes it in every message; an address is masked by it (§14.2).
    fn key(self) -> [u8; 16] {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&MAGIC_COOKIE);
        key[4..].copy_from_slice(&self.0);
        key
    }
}

/// Whoever reads it can answer.
impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}

/// Kinds and values (§14). `None`: one is cut off.
fn attributes(mut body: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut attributes = Vec::new();
    while !body.is_empty() {
        let (start, rest) = body.split_first_chunk::<4>()?;
        let [kind, length] = [[start[0], start[1]], [start[2], start[3]]].map(u16::from_be_bytes);
        let length = usize::from(length);
        attributes.push((kind, rest.get(..length)?));
        body = rest.get(length.next_multiple_of(4)..)?;
    }
    Some(attributes)
}

fn address(value: &[u8], mask: [u8; 16]) -> Option<SocketAddr> {
    let (start, address) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([start[2] ^ mask[0], start[3] ^ mask[1]]);
    let ip = match start[1] {
        FAMILY_V4 => IpAddr::V4(Ipv4Addr::from(unmasked::<4>(address, mask)?)),
        FAMILY_V6 => IpAddr::V6(Ipv6Addr::from(unmasked::<16>(address, mask)?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn unmasked<const LENGTH: usize>(bytes: &[u8], mask: [u8; 16]) -> Option<[u8; LENGTH]> {
    let mut bytes: [u8; LENGTH] = bytes.try_into().ok()?;
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    Some(bytes)
}

/// The hundreds, and then the rest (§14.8).
fn error_code(value: &[u8]) -> Option<u16> {
    let (&[_, _, class, number], _reason) = value.split_first_chunk::<4>()?;
    let is_code = (3..=6).contains(&(class & 7)) && number < 100;
    is_code.then(|| u16::from(class & 7) * 100 + u16::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of RFC 5769.
    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    /// RFC 5769, §2.2.
    const SAMPLE_V4: &str = "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200008 \
                             0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96";

    /// RFC 5769, §2.3.
    const SAMPLE_V6: &str = "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200014 \
                             0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 \
                             bfe3ed41 80280004 c8fb0b4c";

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digits: Vec<_> = hexadecimal.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
    }

    fn transaction() -> Transaction {
        Transaction::new(TRANSACTION)
    }

    fn seen(address: &str) -> Option<Answer> {
        Some(Answer::Seen(address.parse().unwrap()))
    }

    /// With attributes of these kinds and values.
    fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            let length = u16::try_from(value.len()).unwrap();
            body.extend([kind.to_be_bytes(), length.to_be_bytes()].concat());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), b' ');
        }
        let length = u16::try_from(body.len()).unwrap();
        let start = [kind.to_be_bytes(), length.to_be_bytes()].concat();
        [&start[..], &transaction().key(), &body].concat()
    }

    const PLAIN: &[u8] = &[0, 1, 0x0d, 0x96, 20, 0, 0, 9];

    #[test]
    fn a_request_is_a_header_alone() {
        let request = transaction().request();
        assert_eq!(request, bytes("00010000 2112a442 b7e7a701 bc34d686 fa87dfae")[..]);
    }

    #[test]
    fn the_samples_of_the_standard_are_read() {
        assert_eq!(transaction().answer(&bytes(SAMPLE_V4)), seen("192.0.2.1:32853"));
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        assert_eq!(transaction().answer(&bytes(SAMPLE_V6)), seen(v6));
    }

    #[test]
    fn what_answers_another_is_nothing() {
        let other = Transaction::new([7; 12]);
        assert_eq!(other.answer(&bytes(SAMPLE_V4)), None);
        let mut without_cookie = bytes(SAMPLE_V4);
        without_cookie[4] ^= 1;
        assert_eq!(transaction().answer(&without_cookie), None);
        assert_eq!(transaction().answer(&transaction().request()), None, "its own request");
    }

    #[test]
    fn a_server_of_the_older_protocol_tells_it_plainly() {
        let others: [(u16, &[u8]); 2] = [(4, PLAIN), (5, PLAIN)];
        let plain = message(BINDING_SUCCESS, &[(MAPPED_ADDRESS, PLAIN), others[0], others[1]]);
        assert_eq!(transaction().answer(&plain), seen("20.0.0.9:3478"));
        let masked: &[u8] = &[0, 1, 0x0d ^ 0x21, 0x96 ^ 0x12, 20 ^ 0x21, 0x12, 0xa4, 8 ^ 0x42];
        let both = message(BINDING_SUCCESS, &[(MAPPED_ADDRESS, PLAIN), (XOR_MAPPED_ADDRESS, masked)]);
        assert_eq!(transaction().answer(&both), seen("20.0.0.8:3478"), "a NAT may have rewritten the other");
    }

    #[test]
    fn a_refusal_has_its_code() {
        let refusal = |value: &[u8]| transaction().answer(&message(BINDING_ERROR, &[(ERROR_CODE, value)]));
        assert_eq!(refusal(&[0, 0, 4, 1, b'n', b'o']), Some(Answer::Refused { code: 401 }));
        assert_eq!(refusal(&[0, 0, 3, 0]), Some(Answer::Refused { code: 300 }));
        for wrong in [&[0, 0, 4][..], &[0, 0, 2, 0], &[0, 0, 7, 0], &[0, 0, 4, 100], &[]] {
            assert_eq!(refusal(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_says_no_address_is_nothing() {
        let of = |value: &[u8]| transaction().answer(&message(BINDING_SUCCESS, &[(MAPPED_ADDRESS, value)]));
        assert_eq!(of(PLAIN), seen("20.0.0.9:3478"));
        for wrong in
            [&PLAIN[..7], &[PLAIN, &[0]].concat(), &[0, 3, 0, 1, 1, 2, 3, 4], &[0, 2, 0, 1, 1, 2, 3, 4], &[]]
        {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        assert_eq!(transaction().answer(&message(BINDING_SUCCESS, &[])), None);
        assert_eq!(transaction().answer(&message(0x0111, &[(MAPPED_ADDRESS, PLAIN)])), None);
    }

    #[test]
    fn what_is_cut_or_continued_is_nothing() {
        for sample in [SAMPLE_V4, SAMPLE_V6].map(bytes) {
            for length in 0..sample.len() {
                assert_eq!(transaction().answer(&sample[..length]), None, "{length}");
            }
            assert_eq!(transaction().answer(&[&sample[..], &[0; 4]].concat()), None);
        }
        let mut beyond = message(BINDING_SUCCESS, &[(MAPPED_ADDRESS, PLAIN)]);
        beyond[23] = 9;
        assert_eq!(transaction().answer(&beyond), None);
    }

    #[test]
    fn a_transaction_is_kept_out_of_logs() {
        assert_eq!(format!("{:?}", transaction()), "Transaction");
    }
}
