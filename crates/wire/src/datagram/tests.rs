//! Datagrams of a real session, and what is done to them on the way.

mod capture;

use capture::{FROM_CLIENT, FROM_SERVER, KEY};

use super::*;

/// What `text` says in hexadecimal digits.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("two digits")).collect()
}

fn key() -> SessionKey {
    KEY.parse().expect("mosh made it")
}

fn plaintext() -> Plaintext {
    [0; LONGEST_PLAINTEXT]
}

fn header(sequence: u64) -> Header {
    Header {
        direction: Direction::ToClient,
        sequence,
        timestamp: Some(0x1234),
        timestamp_reply: Some(0xfffe),
    }
}

#[test]
fn every_datagram_of_a_real_session_opens_and_is_made_again_byte_by_byte() {
    for (direction, sent) in
        [(Direction::ToServer, &FROM_CLIENT[..]), (Direction::ToClient, &FROM_SERVER[..])]
    {
        for (sequence, text) in (0..).zip(sent) {
            let datagram = bytes(text);
            let mut plaintext = plaintext();
            let opened = key().open(&datagram, &mut plaintext).unwrap();
            assert_eq!((opened.header.direction, opened.header.sequence), (direction, sequence));
            assert_eq!(opened.payload.len(), datagram.len() - SHORTEST);
            assert_eq!(key().seal(opened.header, opened.payload).as_ref(), Some(&datagram));
        }
    }
}

/// Behind the timestamps stands mosh's first fragment: of instruction 1, the last, number 0; then zlib's header.
#[test]
fn the_first_datagrams_of_both_sides_tell_their_timestamps() {
    let fragment = bytes("00000000000000018000789c");
    let mut plaintext = plaintext();
    let first = key().open(&bytes(FROM_CLIENT[0]), &mut plaintext).unwrap();
    assert_eq!((first.header.timestamp, first.header.timestamp_reply), (Some(56933), None));
    assert_eq!(first.payload[..12], fragment);
    let answer = key().open(&bytes(FROM_SERVER[0]), &mut plaintext).unwrap();
    assert_eq!((answer.header.timestamp, answer.header.timestamp_reply), (Some(56936), Some(56933)));
    assert_eq!(answer.payload[..12], fragment);
}

#[test]
fn a_datagram_is_made_of_nonce_ciphertext_and_tag() {
    let key = key();
    let to_client = key.seal(header(5), b"payload").unwrap();
    assert_eq!(to_client.len(), 8 + 4 + 7 + 16);
    assert_eq!(to_client[..8], bytes("8000000000000005"));
    let to_server = key.seal(Header { direction: Direction::ToServer, ..header(5) }, b"payload").unwrap();
    assert_eq!(to_server[..8], bytes("0000000000000005"));
    let mut plaintext = plaintext();
    assert_eq!(key.open(&to_client, &mut plaintext).map(|opened| opened.payload.len()), Ok(7));
    assert_eq!(plaintext[..11], *b"\x12\x34\xff\xfepayload");
}

#[test]
fn no_timestamp_is_65535_on_the_wire() {
    let mut plaintext = plaintext();
    let without = Header { timestamp: None, timestamp_reply: None, ..header(0) };
    let datagram = key().seal(without, b"").unwrap();
    assert_eq!(key().open(&datagram, &mut plaintext), Ok(Opened { header: without, payload: b"" }));
    assert_eq!(plaintext[..4], [0xff; 4]);
}

#[test]
fn the_highest_sequence_number_is_below_the_bit_of_the_direction() {
    let mut plaintext = plaintext();
    let highest = header(HIGHEST_SEQUENCE);
    let datagram = key().seal(highest, b"").unwrap();
    assert_eq!(datagram[..8], [0xff; 8]);
    assert_eq!(key().open(&datagram, &mut plaintext).map(|opened| opened.header), Ok(highest));
    assert_eq!(key().seal(header(HIGHEST_SEQUENCE + 1), b""), None);
}

#[test]
fn the_shortest_and_the_longest_datagram_open_and_one_byte_beyond_is_rejected() {
    let mut plaintext = plaintext();
    let shortest = key().seal(header(1), b"").unwrap();
    assert_eq!(shortest.len(), SHORTEST);
    assert!(key().open(&shortest, &mut plaintext).is_ok());
    assert_eq!(key().open(&shortest[..27], &mut plaintext), Err(Rejected::TooShort(27)));
    assert_eq!(key().open(&[], &mut plaintext), Err(Rejected::TooShort(0)));

    let mut longest = key().seal(header(1), &[7; LONGEST_PAYLOAD]).unwrap();
    assert_eq!(longest.len(), 2048);
    assert_eq!(key().open(&longest, &mut plaintext).unwrap().payload, [7; LONGEST_PAYLOAD]);
    longest.push(0);
    assert_eq!(key().open(&longest, &mut plaintext), Err(Rejected::TooLong(2049)));
    assert_eq!(key().seal(header(1), &[7; LONGEST_PAYLOAD + 1]), None);
}

#[test]
fn a_datagram_with_any_bit_changed_is_rejected() {
    let datagram = bytes(FROM_SERVER[1]);
    let mut plaintext = plaintext();
    for bit in 0..datagram.len() * 8 {
        let mut changed = datagram.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key().open(&changed, &mut plaintext), Err(Rejected::NotAuthentic), "bit {bit}");
    }
}

#[test]
fn a_datagram_cut_or_extended_is_rejected() {
    let datagram = bytes(FROM_SERVER[1]);
    let mut plaintext = plaintext();
    for length in SHORTEST..datagram.len() {
        assert_eq!(key().open(&datagram[..length], &mut plaintext), Err(Rejected::NotAuthentic));
        assert_eq!(key().open(&datagram[length - SHORTEST + 1..], &mut plaintext).ok(), None, "{length}");
    }
    assert_eq!(key().open(&[&datagram[..], &[0]].concat(), &mut plaintext), Err(Rejected::NotAuthentic));
}

#[test]
fn another_sessions_datagram_is_rejected() {
    let other: SessionKey = "+yuF407b39iQ8RAjncp8ag".parse().unwrap();
    let datagram = bytes(FROM_CLIENT[0]);
    assert_eq!(other.open(&datagram, &mut plaintext()), Err(Rejected::NotAuthentic));
}

#[test]
fn what_is_not_authentic_leaves_nothing_in_the_plaintext() {
    let mut datagram = key().seal(header(1), &[7; LONGEST_PAYLOAD]).unwrap();
    datagram[LONGEST - 1] ^= 1;
    let mut left = [9; LONGEST_PLAINTEXT];
    assert_eq!(key().open(&datagram, &mut left), Err(Rejected::NotAuthentic));
    assert_eq!(left, plaintext());
}

#[test]
fn a_datagram_that_comes_again_opens_again() {
    let datagram = bytes(FROM_CLIENT[2]);
    let (key, mut first, mut second) = (key(), plaintext(), plaintext());
    assert_eq!(key.open(&datagram, &mut first).unwrap(), key.open(&datagram, &mut second).unwrap());
}
