use net::clock;
use wire::offer::{Candidate, Kind, Offer};

use super::*;
use crate::session::{Mapped, Opening};

fn end(telling: Telling) -> HostEnd {
    let hello = Hello {
        session: "5b1f0c3a".parse().unwrap(),
        window: WINDOW,
        seen: None,
        carrying: Carrying::Offered,
        punches: false,
    };
    HostEnd::new(hello, telling, clock::now())
}

fn quiet() -> Telling {
    Telling::of(Vec::new(), clock::now())
}

fn waiting(now: Instant) -> Telling {
    Telling::of(vec![Opening::Mapping], now + Duration::from_secs(10))
}

fn mapped() -> Answer {
    let port = 60017.try_into().unwrap();
    let mapped = Mapped { external_address: Some([20, 0, 0, 1].into()), external_port: port, caution: None };
    Answer { opening: Opening::Mapping, outcome: Ok(mapped), more: false }
}

fn told(end: &mut HostEnd, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| end.poll_line(now)).map(|line| line.trim_end().to_owned()).collect()
}

fn datagram(number: u64) -> String {
    Frame::Datagram { number, tos: 2, datagram: vec![7; 40] }.encode()
}

/// Whose keeper has mosh-server's socket.
fn end_that_punches() -> HostEnd {
    let hello = Hello { punches: true, ..end(quiet()).hello.unwrap() };
    let mut end = HostEnd::new(hello, quiet(), clock::now());
    told(&mut end, clock::now());
    end
}

fn punch(round: u32) -> String {
    let cookie = Cookie::new([7; 16]);
    Frame::Punch { round, cookie, to: vec![([20, 0, 0, 9], 5).into()], stun: Vec::new() }.encode()
}

const HELLO: &str = "MOSHPUNCH CHANNEL 1 session=5b1f0c3a window=16384 carry";
const OFFER: &str = "MOSHPUNCH OFFER 1 mapped=20.0.0.1:60017";

#[test]
fn hello_comes_first_whatever_else_there_is_to_say() {
    let now = clock::now();
    let mut end = end(waiting(now));
    end.handle_answer(mapped(), now);
    end.handle_input(b"MOSHPUNCH PING 3\n", now);
    assert_eq!(told(&mut end, now), [HELLO, OFFER, "MOSHPUNCH PONG 3"]);
}

#[test]
fn datagrams_go_both_ways_and_the_first_ends_older_channels() {
    let now = clock::now();
    let mut end = end(quiet());
    told(&mut end, now);
    end.handle_datagram(0, &[7; 40], now);
    assert_eq!(told(&mut end, now), [""; 0], "nobody is known to listen yet");
    let deliver = Act::Deliver { tos: 2, datagram: vec![7; 40] };
    let acts = end.handle_input(format!("{}{}", datagram(1), datagram(2)).as_bytes(), now);
    assert_eq!(acts, [deliver.clone(), Act::Supersede, deliver]);
    end.handle_datagram(3, &[7; 40], now);
    let lines = told(&mut end, now);
    assert_eq!(lines[0], "MOSHPUNCH A 2");
    assert!(lines[1].starts_with("MOSHPUNCH D 1 3 "), "{lines:?}");
}

#[test]
fn where_nothing_is_carried_no_datagram_goes_on() {
    let now = clock::now();
    let hello = Hello { carrying: Carrying::Refused, ..end(quiet()).hello.unwrap() };
    let mut end = HostEnd::new(hello, quiet(), now);
    assert_eq!(end.handle_input(datagram(1).as_bytes(), now), []);
}

#[test]
fn a_round_is_handed_on_and_its_outcome_told() {
    let now = clock::now();
    let mut end = end_that_punches();
    let acts = end.handle_input(punch(1).as_bytes(), now);
    let to = vec![([20, 0, 0, 9], 5).into()];
    assert_eq!(acts, [Act::Punch { round: 1, cookie: Cookie::new([7; 16]), to, stun: Vec::new() }]);
    assert_eq!(end.handle_input(punch(2).as_bytes(), now), [], "one is asked for already");
    end.handle_punched(7, Ok(Vec::new()));
    end.handle_punched(1, Ok(vec![([20, 0, 0, 1], 60001).into()]));
    end.handle_punched(1, Err(NoRound::Unable));
    let expected = ["MOSHPUNCH PUNCHED 2 no=busy", "MOSHPUNCH PUNCHED 1 from=20.0.0.1:60001"];
    assert_eq!(told(&mut end, now), expected);
    assert_eq!(end.handle_input(punch(3).as_bytes(), now).len(), 1);
}

#[test]
fn what_is_learnt_of_the_newest_round_is_told_again() {
    let now = clock::now();
    let mut end = end_that_punches();
    let address = |port| Ok(vec![([20, 0, 0, 1], port).into()]);
    end.handle_input(punch(1).as_bytes(), now);
    end.handle_punched(1, Ok(Vec::new()));
    end.handle_punched(1, address(60_001));
    end.handle_punched(1, Err(NoRound::Unable));
    end.handle_input(punch(2).as_bytes(), now);
    end.handle_punched(1, address(60_002));
    end.handle_punched(2, address(60_003));
    let expected = [
        "MOSHPUNCH PUNCHED 1",
        "MOSHPUNCH PUNCHED 1 from=20.0.0.1:60001",
        "MOSHPUNCH PUNCHED 2 from=20.0.0.1:60003",
    ];
    assert_eq!(told(&mut end, now), expected);
}

#[test]
fn where_nobody_can_send_openers_rounds_are_refused() {
    let now = clock::now();
    let mut without = end(quiet());
    assert_eq!(without.handle_input(punch(1).as_bytes(), now), []);
    assert_eq!(told(&mut without, now)[1..], ["MOSHPUNCH PUNCHED 1 no=unable"]);
    let mut end = end_that_punches();
    end.handle_input(punch(1).as_bytes(), now);
    end.handle_end_of_keeper(&anyhow::anyhow!("gone"));
    assert_eq!(end.handle_input(punch(2).as_bytes(), now), []);
    assert_eq!(told(&mut end, now), ["MOSHPUNCH PUNCHED 1 no=unable", "MOSHPUNCH PUNCHED 2 no=unable"]);
}

#[test]
fn an_input_that_was_never_open_leaves_what_the_keeper_finds() {
    let now = clock::now();
    let mut end = end(waiting(now));
    end.handle_end_of_input();
    assert_eq!(told(&mut end, now), [HELLO]);
    assert!(!end.is_over(true, now) && !end.listens());
    end.handle_answer(mapped(), now);
    assert!(!end.is_over(false, now));
    assert_eq!(told(&mut end, now), [OFFER]);
    assert!(end.is_over(true, now));
}

/// As by an ssh that has gone into the background, to a terminal: its end is not seen.
#[test]
fn an_input_that_never_says_a_word_is_taken_for_closed() {
    let now = clock::now();
    let mut end = end(waiting(now));
    end.handle_input(b"noise\n", now);
    end.handle_answer(mapped(), now);
    assert_eq!(told(&mut end, now), [HELLO, OFFER]);
    assert!(end.listens() && !end.is_over(true, now));
    let late = end.poll_timeout().expect("a word is waited for");
    assert!(late >= now + FIRST_WORD_MAXIMUM && late < now + 2 * FIRST_WORD_MAXIMUM, "{:?}", late - now);
    end.handle_timeout(late);
    assert!(end.is_over(true, late));
}

#[test]
fn the_end_of_input_is_the_end_of_a_channel_that_was_used() {
    let now = clock::now();
    let mut end = end(quiet());
    told(&mut end, now);
    end.handle_input(b"noise\nMOSHPUNCH PING 1\n", now);
    end.handle_end_of_input();
    assert!(end.is_over(false, now));
    assert_eq!(told(&mut end, now), [""; 0]);
}

#[test]
fn bye_is_the_last_of_both_sides() {
    let now = clock::now();
    for (reason, expected) in
        [(Reason::Ended, "MOSHPUNCH BYE ended"), (Reason::Superseded, "MOSHPUNCH BYE superseded")]
    {
        let mut end = end(quiet());
        end.handle_input(datagram(1).as_bytes(), now);
        told(&mut end, now);
        end.close(reason, now);
        assert!(!end.is_over(true, now), "it is not said yet");
        end.close(Reason::Idle, now);
        assert_eq!(end.handle_input(datagram(2).as_bytes(), now), [], "too late");
        assert_eq!(told(&mut end, now), [expected]);
        assert!(!end.is_over(false, now) && end.is_over(true, now));
        assert!(end.is_over(false, now + CLOSING_MAXIMUM), "nobody reads it");
    }
    let mut end = end(quiet());
    end.handle_input(b"MOSHPUNCH BYE\nMOSHPUNCH PING 1\n", now);
    assert!(end.is_over(false, now));
}

#[test]
fn a_quarter_of_an_hour_without_a_line_is_the_end() {
    let mut now = clock::now();
    let mut end = end(quiet());
    told(&mut end, now);
    for _ in 0..3 {
        now += SILENCE_MAXIMUM - Duration::from_secs(1);
        end.handle_input(b"MOSHPUNCH PONG 1\n", now);
        end.handle_timeout(now);
        assert!(end.listens());
    }
    let last = now;
    while end.listens() {
        end.handle_input(b"noise\n", now);
        now = end.poll_timeout().expect("one line is waited for");
        end.handle_timeout(now);
        told(&mut end, now);
    }
    assert_eq!(now, last + SILENCE_MAXIMUM);
    assert!(end.is_over(true, now));
}

#[test]
fn after_the_offer_is_complete_only_news_is_told() {
    let now = clock::now();
    let mapped_before =
        Candidate { kind: Kind::Mapped, address: [20, 0, 0, 1].into(), port: 60017.try_into().unwrap() };
    let mut end = end(Telling::after(&[mapped_before], now));
    assert_eq!(told(&mut end, now), [HELLO]);
    end.handle_answer(mapped(), now);
    assert_eq!(told(&mut end, now), [""; 0]);
    let Answer { outcome: Ok(moved), .. } = mapped() else { unreachable!() };
    let moved = Mapped { external_address: Some([20, 0, 0, 2].into()), ..moved };
    end.handle_answer(Answer { outcome: Ok(moved), more: true, ..mapped() }, now);
    assert_eq!(told(&mut end, now), ["MOSHPUNCH OFFER 1 mapped=20.0.0.2:60017"]);
}

#[test]
fn whoever_floods_with_whatever_is_answered_little() {
    let now = clock::now();
    let mut end = end_that_punches();
    let offer = Offer::default().encode();
    for number in 1..2_000 {
        for line in [
            datagram(number),
            format!("MOSHPUNCH A {number}\n"),
            format!("MOSHPUNCH PING {number}\n"),
            format!("MOSHPUNCH PONG {number}\n"),
            format!("{offer}\n"),
            punch(u32::try_from(number).unwrap()),
            format!("MOSHPUNCH PUNCHED {number} from=20.0.0.1:60001\n"),
            "MOSHPUNCH TROUBLE host session x\n".to_owned(),
            "MOSHPUNCH CHANNEL 1 session=5b1f0c3a\n".to_owned(),
            format!("MOSHPUNCH WHAT {number}\n"),
            "x".repeat(5_000),
            "\n".to_owned(),
        ] {
            assert!(end.handle_input(line.as_bytes(), now).len() <= 2);
            end.handle_datagram(0, &[7; 1_200], now);
        }
    }
    let bytes: usize = told(&mut end, now).iter().map(String::len).sum();
    assert!(bytes < 2 * WINDOW, "{bytes}");
}
