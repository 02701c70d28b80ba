//! Offers as they are printed, read back from whatever stands around them.

mod mutation;

use super::*;

const LINE: &str = "MOSHPUNCH OFFER 1 host=192.168.1.10:60001 pinhole=[2001:db8::10]:60001 more";

fn candidate(kind: Kind, address: &str, port: u16) -> Candidate {
    Candidate { kind, address: address.parse().unwrap(), port: NonZeroU16::new(port).unwrap() }
}

fn example() -> Offer {
    let host = candidate(Kind::Host, "192.168.1.10", 60001);
    Offer { candidates: vec![host, candidate(Kind::Pinhole, "2001:db8::10", 60001)], more: true }
}

fn parse(line: &str) -> Result<Option<Offer>, Unusable> {
    Offer::parse(line.as_bytes())
}

/// What comes of the fields of an offer.
fn candidates(fields: &str) -> Vec<Candidate> {
    parse(&format!("MOSHPUNCH OFFER 1 {fields}")).unwrap().expect("an offer").candidates
}

#[test]
fn an_offer_is_one_readable_line_and_is_read_back() {
    assert_eq!(example().encode(), LINE);
    assert_eq!(parse(LINE), Ok(Some(example())));
}

#[test]
fn a_later_line_adds_what_has_become_known() {
    let mapped = Offer { candidates: vec![candidate(Kind::Mapped, "20.0.0.1", 60017)], more: false };
    assert_eq!(mapped.encode(), "MOSHPUNCH OFFER 1 mapped=20.0.0.1:60017");
    assert_eq!(parse(&mapped.encode()), Ok(Some(mapped)));
}

#[test]
fn a_last_line_may_have_no_candidate() {
    assert_eq!(Offer::default().encode(), "MOSHPUNCH OFFER 1");
    assert_eq!(parse("MOSHPUNCH OFFER 1\r\n"), Ok(Some(Offer::default())));
}

#[test]
fn an_offer_is_found_behind_what_a_login_shell_printed() {
    for before in
        ["\x1b]0;alice@server\x07", "Welcome! ", "\u{fffd}", "MOSHPUNCH OFFER ", "MOSHPUNCH OFFER 1x "]
    {
        assert_eq!(parse(&format!("{before}{LINE}\r\n")), Ok(Some(example())), "{before:?}");
    }
    assert_eq!(Offer::parse(&[b"\xff\xfe", LINE.as_bytes()].concat()), Ok(Some(example())));
}

#[test]
fn other_lines_are_no_offers() {
    for line in [
        "",
        "MOSHPUNCH OFFER",
        "MOSHPUNCH OFFER ",
        "MOSHPUNCH OFFER is the line that tells where a server can be reached",
        "MOSHPUNCH OFFER 1.2 host=192.168.1.10:60001",
        "MOSHPUNCH OFFER -1",
        "MOSHPUNCH  OFFER 1",
        "moshpunch offer 1",
        "MOSH CONNECT 60001 hfU7Nf6lSSqnJS0qVBe69Q",
    ] {
        assert_eq!(parse(line), Ok(None), "{line:?}");
    }
    assert_eq!(Offer::parse(&[b'x'; 10 * LONGEST]), Ok(None));
}

#[test]
fn another_version_is_told_whatever_its_fields_are() {
    assert_eq!(parse("MOSHPUNCH OFFER 2 host=192.168.1.10:60001"), Err(Unusable::Version(2)));
    assert_eq!(parse("MOSHPUNCH OFFER 0"), Err(Unusable::Version(0)));
    assert_eq!(parse("MOSHPUNCH OFFER 4294967297"), Err(Unusable::Version(u32::MAX)));
    assert_eq!(parse("MOSHPUNCH OFFER 42949672961"), Err(Unusable::Version(u32::MAX)));
    assert_eq!(Unusable::Version(2).to_string(), "version 1 of the offer expected, got 2");
}

#[test]
fn unknown_fields_are_ignored() {
    let line = "MOSHPUNCH OFFER 1 nat host=192.168.1.10:60001 relayed=20.0.0.9:3478 rtt=20ms= = \
        pinhole=[2001:db8::10]:60001 mores more";
    assert_eq!(parse(line), Ok(Some(example())));
    let bytes = b"MOSHPUNCH OFFER 1 host=192.168.1.10:60001 \xff=1 pinhole=[2001:db8::10]:60001 more";
    assert_eq!(Offer::parse(bytes), Ok(Some(example())));
}

#[test]
fn an_address_to_which_nothing_could_be_sent_is_ignored() {
    for endpoint in [
        "",
        "192.168.1.10",
        "192.168.1.10:0",
        "192.168.1.10:65536",
        "192.168.1.256:60001",
        "server.example:60001",
        "2001:db8::10:60001x",
        "0.0.0.0:60001",
        "[::]:60001",
        "[::ffff:0.0.0.0]:60001",
        "255.255.255.255:60001",
        "224.0.0.1:60001",
        "[ff02::1]:60001",
        "[fe80::1]:60001",
        "[fe80::1%2]:60001",
        "[2001:db8::10%2]:60001",
    ] {
        assert_eq!(candidates(&format!("host={endpoint}")), [], "{endpoint:?}");
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_read_as_what_it_is() {
    assert_eq!(
        candidates("host=[::ffff:192.168.1.10]:60001"),
        [candidate(Kind::Host, "192.168.1.10", 60001)]
    );
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    for kind in Kind::ALL {
        assert_eq!(candidates(&format!("{}=20.0.0.1:1", kind.name())), [candidate(kind, "20.0.0.1", 1)]);
    }
}

#[test]
fn candidates_beyond_the_limit_are_neither_written_nor_read() {
    let many: Vec<_> = (1..=20).map(|port| candidate(Kind::Mapped, "20.0.0.1", port)).collect();
    let offer = Offer { candidates: many.clone(), more: true };
    let first = Offer { candidates: many[..MOST_CANDIDATES].to_vec(), more: true };
    assert_eq!(offer.encode(), first.encode());
    assert_eq!(parse(&offer.encode()), Ok(Some(first)));
    let fields: String = (1..=20).map(|port| format!("mapped=20.0.0.1:{port} ")).collect();
    assert_eq!(candidates(&fields), many[..MOST_CANDIDATES]);
}

#[test]
fn the_longest_offer_that_is_written_is_read() {
    let longest = candidate(Kind::Pinhole, "2001:1db8:1111:1111:1111:1111:1111:1111", 65535);
    let offer = Offer { candidates: vec![longest; MOST_CANDIDATES], more: true };
    assert_eq!(offer.encode().len(), 918);
    assert_eq!(parse(&offer.encode()), Ok(Some(offer)));
}

#[test]
fn the_length_is_bounded_from_the_marker_to_the_end_of_the_line() {
    let longest = format!("{LINE} {}", "x".repeat(LONGEST - LINE.len() - 1));
    assert_eq!(parse(&format!("noise before it {longest}\r\n")), Ok(Some(example())));
    assert_eq!(parse(&format!("{longest}x")), Err(Unusable::TooLong(LONGEST + 1)));
    assert_eq!(parse(&format!("{longest}x").replace(" 1 ", " 2 ")), Err(Unusable::TooLong(LONGEST + 1)));
}

#[test]
fn mutants_are_survived_and_accepted_ones_are_read_back() {
    let (mut accepted, mut unusable) = (0, 0);
    for mutant in mutation::mutants(LINE.as_bytes()) {
        match Offer::parse(&mutant) {
            Ok(Some(offer)) => {
                accepted += 1;
                assert!(offer.candidates.len() <= MOST_CANDIDATES);
                let line = offer.encode();
                assert!(
                    line.len() <= LONGEST && line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                    "{line:?}"
                );
                assert_eq!(parse(&line), Ok(Some(offer)));
            }
            Ok(None) => {}
            Err(_) => unusable += 1,
        }
    }
    assert!(accepted > mutation::MUTANTS / 10 && unusable > 100, "{accepted} accepted, {unusable} unusable");
}
