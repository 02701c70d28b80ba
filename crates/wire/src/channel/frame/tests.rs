use std::mem::discriminant;

use super::*;
use crate::offer::{Candidate, Kind};

fn hello() -> Hello {
    Hello {
        session: "5b1f0c3a".parse().unwrap(),
        window: 16_384,
        seen: Some([20, 0, 0, 9].into()),
        carrying: Carrying::Offered,
        punches: true,
    }
}

fn datagram(number: u64, length: usize) -> Frame {
    Frame::Datagram { number, tos: 2, datagram: (0..=255).cycle().take(length).collect() }
}

fn trouble(what: &str, cure: Option<&str>) -> Trouble {
    Trouble {
        machine: "router".into(),
        step: "mapping".into(),
        what: what.into(),
        cure: cure.map(str::to_owned),
    }
}

fn all() -> Vec<Frame> {
    let candidate =
        Candidate { kind: Kind::Mapped, address: [20, 0, 0, 1].into(), port: 60_017.try_into().unwrap() };
    vec![
        Frame::Hello(hello()),
        Frame::Hello(Hello { punches: false, ..hello() }),
        Frame::Hello(Hello { seen: None, carrying: Carrying::Refused, window: 0, ..hello() }),
        Frame::Offer(Offer { candidates: vec![candidate], more: true }),
        Frame::Trouble(trouble("the router refuses", Some("allow it"))),
        Frame::Trouble(trouble("the router refuses", None)),
        datagram(1, datagram::SHORTEST),
        datagram(u64::MAX, datagram::LONGEST),
        Frame::Delivered { number: 7 },
        Frame::Ping { number: 0 },
        Frame::Pong { number: 0 },
        punch(&addresses(TARGETS_MAXIMUM), &[]),
        punch(&addresses(TARGETS_MAXIMUM), &addresses(SERVERS_MAXIMUM)),
        Frame::Punched { round: 1, outcome: Punched::Sent { from: Vec::new() } },
        Frame::Punched { round: 1, outcome: Punched::Sent { from: addresses(TARGETS_MAXIMUM) } },
        Frame::Punched { round: 1, outcome: Punched::Refused { reason: "busy".into() } },
        Frame::Bye { reason: None },
        Frame::Bye { reason: Some("gone".into()) },
    ]
}

fn cookie() -> Cookie {
    Cookie::new([0xa1; 16])
}

fn addresses(count: usize) -> Vec<SocketAddr> {
    let numbered = |port| format!("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:{port}").parse().unwrap();
    (60_001..).map(numbered).take(count).collect()
}

fn punch(to: &[SocketAddr], stun: &[SocketAddr]) -> Frame {
    Frame::Punch { round: u32::MAX, cookie: cookie(), to: to.to_vec(), stun: stun.to_vec() }
}

fn side_of(frame: &Frame) -> Side {
    if matches!(frame, Frame::Punch { .. }) { Side::Laptop } else { Side::Host }
}

fn of_host(line: &str) -> Option<Frame> {
    Frame::parse(line.as_bytes(), Side::Host)
}

#[test]
fn what_is_written_is_read() {
    for frame in all() {
        let line = frame.encode();
        assert!(line.ends_with('\n') && line.len() <= LONGEST, "{line}");
        assert_eq!(Frame::parse(line.as_bytes(), side_of(&frame)), Some(frame));
    }
}

#[test]
fn the_lines_of_the_documentation_are_these() {
    assert_eq!(
        Frame::Hello(hello()).encode(),
        "MOSHPUNCH CHANNEL 1 session=5b1f0c3a window=16384 seen=20.0.0.9 carry punch\n"
    );
    let told = Frame::Trouble(trouble("the router refuses", Some("allow the port in its rules")));
    assert_eq!(
        told.encode(),
        "MOSHPUNCH TROUBLE router mapping the router refuses\tallow the port in its rules\n"
    );
    assert_eq!(Frame::Delivered { number: 1 }.encode(), "MOSHPUNCH A 1\n");
}

#[test]
fn a_line_is_found_behind_what_a_shell_has_printed_and_before_a_carriage_return() {
    for frame in all() {
        let line = format!("\x1b]0;alice@host\x07$ MOSHPUNCH what {}", frame.encode());
        let side = side_of(&frame);
        assert_eq!(Frame::parse(line.replace('\n', "\r\n").as_bytes(), side), Some(frame), "{line}");
    }
}

#[test]
fn each_verb_is_its_own_sides() {
    for frame in all() {
        let of_one_side = [
            Frame::Hello(hello()),
            Frame::Offer(Offer { candidates: Vec::new(), more: false }),
            Frame::Trouble(trouble("", None)),
            Frame::Punched { round: 1, outcome: Punched::Sent { from: Vec::new() } },
            punch(&[], &[]),
        ];
        let of_one_side = of_one_side.iter().any(|other| discriminant(other) == discriminant(&frame));
        let other_side = if side_of(&frame) == Side::Host { Side::Laptop } else { Side::Host };
        let read = Frame::parse(frame.encode().as_bytes(), other_side);
        assert_eq!(read, (!of_one_side).then_some(frame));
    }
}

#[test]
fn fields_and_verbs_to_come_are_passed_over() {
    let line = "MOSHPUNCH CHANNEL 1 session=5b1f0c3a punch window=16384 x=y relay seen=20.0.0.9 carry ==";
    assert_eq!(of_host(line), Some(Frame::Hello(hello())));
    for line in ["MOSHPUNCH RELAYED 1 from=20.0.0.1:7", "MOSHPUNCH", "MOSHPUNCH ", "MOSHPUNCH PRESENT"] {
        assert_eq!(of_host(line), None, "{line}");
    }
}

#[test]
fn of_a_rounds_addresses_the_targets_alone_are_taken_and_no_more_than_allowed() {
    let many = addresses(3 * TARGETS_MAXIMUM);
    let written = punch(&many, &many).encode();
    let read = Frame::parse(written.as_bytes(), Side::Laptop);
    assert_eq!(read, Some(punch(&many[..TARGETS_MAXIMUM], &many[..SERVERS_MAXIMUM])));

    let line = format!(
        "MOSHPUNCH PUNCH 7 {} to=20.0.0.9:5 stun=127.0.0.1:53 stun=stun.example:3478 stun=20.0.0.3:3478",
        cookie()
    );
    let read = Frame::parse(line.as_bytes(), Side::Laptop);
    let Some(Frame::Punch { to, stun, .. }) = read else { panic!("{read:?}") };
    assert_eq!([to, stun], ["20.0.0.9:5", "20.0.0.3:3478"].map(|address| vec![address.parse().unwrap()]));

    let line = "MOSHPUNCH PUNCHED 7 from=239.255.255.250:1900 stun=x from=20.0.0.1:60001 from=20.0.0.1 from=[fe80::1%2]:7";
    let from = vec!["20.0.0.1:60001".parse().unwrap()];
    assert_eq!(of_host(line), Some(Frame::Punched { round: 7, outcome: Punched::Sent { from } }));

    for nowhere in ["", " to=127.0.0.1:7", " to=20.0.0.9:0 to=x"] {
        let line = format!("MOSHPUNCH PUNCH 7 {}{nowhere}", cookie());
        assert_eq!(Frame::parse(line.as_bytes(), Side::Laptop), None, "{line}");
    }
}

#[test]
fn what_is_broken_is_no_line_of_the_channel() {
    let short = Base64::encode_string(&[0; datagram::SHORTEST - 1]);
    let long = Base64::encode_string(&[0; datagram::LONGEST + 1]);
    for line in [
        "MOSHPUNCH CHANNEL 2 session=5b1f0c3a carry",
        "MOSHPUNCH CHANNEL 1 window=16384 carry",
        "MOSHPUNCH CHANNEL 1 session=5B1F0C3A",
        "MOSHPUNCH CHANNEL 1 session=+b1f0c3a",
        "MOSHPUNCH A",
        "MOSHPUNCH A -1",
        "MOSHPUNCH A +1",
        "MOSHPUNCH A 99999999999999999999999999",
        "MOSHPUNCH PING x",
        "MOSHPUNCH BYE BYE",
        "MOSHPUNCH BYE a-word-that-is-too-long",
        "MOSHPUNCH D 1 256 gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "MOSHPUNCH D 1 0 not*base64",
        "MOSHPUNCH D 1 0",
        "moshpunch a 1",
    ] {
        assert_eq!(of_host(line), None, "{line}");
    }
    for text in [short, long] {
        assert_eq!(of_host(&format!("MOSHPUNCH D 1 0 {text}")), None);
    }
}

#[test]
fn what_goes_on_is_cut_and_has_no_control_characters() {
    let frame = Frame::Trouble(trouble(&"ä\n\x1b]".repeat(1_000), Some(&"\t".repeat(1_000))));
    let line = frame.encode();
    assert!(line.len() <= LONGEST && line.matches('\n').count() == 1 && line.matches('\t').count() == 1);
    let Some(Frame::Trouble(read)) = of_host(&line) else { panic!("{line}") };
    assert!(!read.what.contains(char::is_control) && read.what.starts_with("ä  ]"));
}

#[test]
fn a_trouble_that_says_nothing_is_none_and_a_cure_that_says_nothing_neither() {
    for line in ["router mapping \x01", "router mapping \x01\tallow it", "router mapping  \t", "router  "] {
        assert_eq!(of_host(&format!("MOSHPUNCH TROUBLE {line}")), None, "{line:?}");
    }
    for line in
        ["router mapping refused\x01\0", "router mapping refused\t\x01\x10", "router mapping refused \t "]
    {
        let told = Some(Frame::Trouble(Trouble { what: "refused".into(), ..trouble("", None) }));
        assert_eq!(of_host(&format!("MOSHPUNCH TROUBLE {line}")), told, "{line:?}");
    }
}

/// Every line of the channel, and what a shell may print between them, in pieces and with bytes changed.
#[test]
fn nothing_that_is_damaged_makes_it_stumble() {
    let text: String = all().iter().map(Frame::encode).collect();
    for (at, step) in (0..text.len()).step_by(7).zip((1..=255).cycle()) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= step;
        for line in bytes.split(|&byte| byte == b'\n') {
            let read = Frame::parse(line, Side::Host);
            if let Some(frame) = read {
                assert_eq!(Frame::parse(frame.encode().as_bytes(), Side::Host), Some(frame));
            }
        }
    }
}
