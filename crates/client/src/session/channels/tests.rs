//! With shells for hosts.

use std::iter::from_fn;

use super::*;
use crate::login::Login;
use crate::login::transcript::Line;
use crate::session::punching::{Ports, Punching};

const HELLO: &str = "echo MOSHPUNCH CHANNEL 1 session=0000cafe window=16384 carry\n";
const HANGS_UP: &str = "while read -r line; do case $line in *BYE*) exit ;; esac; done\n";

fn of_a_user() -> Channels {
    Channels::new(&Configuration::of("host"))
}

fn listened(script: &str, is_asked: bool) -> Listened {
    Listened::to(Login::by_shell(script), Vec::new(), is_asked)
}

/// A channel to a host that has said hello, and goes on so.
fn to(script: &str) -> (Channels, ChannelId, Instant) {
    let (mut channels, mut listened) = (of_a_user(), listened(&format!("{HELLO}{script}"), true));
    let now = clock::now();
    let heard = loop {
        wait(&mut listened.descriptors().collect::<Vec<_>>(), None).unwrap();
        let (said, _) = listened.read(now);
        if listened.channel().is_some() {
            break said.heard;
        }
    };
    channels.add(listened, heard, now);
    let Some(Event::Opened(id)) = channels.poll_event() else { panic!("it carries") };
    (channels, id, now)
}

/// What happens next, with the clock standing still.
fn event(channels: &mut Channels, now: Instant) -> Event {
    loop {
        if let Some(event) = channels.poll_event() {
            return event;
        }
        wait(&mut channels.descriptors().collect::<Vec<_>>(), None).unwrap();
        channels.read(now);
    }
}

fn wait_until_gone(channels: &mut Channels, now: Instant) {
    while !channels.open.is_empty() {
        wait(&mut channels.descriptors().collect::<Vec<_>>(), None).unwrap();
        channels.read(now);
    }
}

/// Ten seconds before the last that the need ends.
fn is_direct(channels: &mut Channels, now: Instant) -> Instant {
    channels.told(true, now);
    channels.moved(Kind::Mapped, now);
    channels.need.ends().unwrap()
}

#[test]
fn a_datagram_goes_to_and_fro() {
    let (mut channels, id, now) = to("exec cat");
    let datagram = vec![7; 64];
    channels.carry(id, 3, &datagram, now);
    assert_eq!(event(&mut channels, now), Event::Datagram { by: id, tos: 3, datagram });
}

#[test]
fn what_came_with_the_hello_is_heard() {
    let datagram = vec![7; 64];
    let heard = Heard::Datagram { tos: 1, datagram: datagram.clone() };
    let (channels, _, now) = to("exec cat");
    let listened = channels.open.into_iter().next().unwrap().listened;
    let mut channels = of_a_user();
    channels.add(listened, vec![heard], now);
    let events: Vec<_> = from_fn(|| channels.poll_event()).collect();
    let id = ChannelId(1);
    assert_eq!(events, [Event::Opened(id), Event::Datagram { by: id, tos: 1, datagram }]);
}

#[test]
fn what_was_not_asked_for_is_no_channel() {
    let mut listened = listened(HELLO, false);
    let now = clock::now();
    let status = loop {
        wait(&mut listened.descriptors().collect::<Vec<_>>(), None).unwrap();
        if let (_, Some(status)) = listened.read(now) {
            break status;
        }
    };
    assert!(status.success() && listened.channel().is_none());
}

/// Recorded of moshpunch as it was before there were channels, asked for one, but for the key: a session that begins, by
/// `ssh -T` and by `-tt`, which echoes what is said to it; and a later login by each.
const BEFORE_THERE_WERE_CHANNELS: [(&str, usize); 4] = [
    (
        "\r\nMOSHPUNCH OFFER 1 host=192.168.1.10:60001 more\nMOSH CONNECT 60001 AAAAAAAAAAAAAAAAAAAAAA\n\
         MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n",
        2,
    ),
    (
        "MOSHPUNCH A 0\r\nMOSHPUNCH PING 1\r\n\r\r\nMOSHPUNCH OFFER 1 host=192.168.1.10:60001 more\r\n\r\r\n\r\n\
         MOSH CONNECT 60001 AAAAAAAAAAAAAAAAAAAAAA\r\n\r\nmosh-server (mosh 1.4.0) [build mosh 1.4.0]\r\n\
         Copyright 2012 Keith Winstein <mosh-devel@mit.edu>\r\n\
         License GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>.\r\n\
         This is free software: you are free to change and redistribute it.\r\n\
         There is NO WARRANTY, to the extent permitted by law.\r\n\r\n[mosh-server detached, pid = 29]\r\n\
         moshpunch: no router here answers PCP, NAT-PMP or UPnP; switch one of them on in the router, or forward a \
         UDP port there and use -p\r\nMOSHPUNCH OFFER 1\r\n",
        2,
    ),
    ("MOSHPUNCH OFFER 1 host=192.168.1.10:60001 mapped=20.0.0.1:60001\n", 1),
    (
        "MOSHPUNCH A 0\r\nMOSHPUNCH PING 1\r\nMOSHPUNCH OFFER 1 host=192.168.1.10:60001 mapped=20.0.0.1:60001\r\n",
        1,
    ),
];

#[test]
fn a_host_that_knows_no_channels_has_none() {
    for (recorded, offers) in BEFORE_THERE_WERE_CHANNELS {
        let mut listened = listened(&format!("printf %s '{recorded}'"), true);
        let (mut lines, now) = (Vec::new(), clock::now());
        loop {
            wait(&mut listened.descriptors().collect::<Vec<_>>(), None).unwrap();
            let (said, status) = listened.read(now);
            assert_eq!(said.heard, [], "{recorded}");
            lines.extend(said.lines);
            if status.is_some() {
                break;
            }
        }
        assert!(listened.channel().is_none(), "{recorded}");
        let told = lines.iter().filter(|line| matches!(line, Line::Offer(_))).count();
        assert_eq!(told, offers, "{recorded}");
    }
}

#[test]
fn one_that_is_needed_no_more_says_goodbye_and_is_gone() {
    let (mut channels, id, now) = to(HANGS_UP);
    let end = is_direct(&mut channels, now);
    assert_eq!(channels.deadline(), Some(end));
    channels.handle_timeout(end - Duration::from_millis(1));
    assert_eq!(channels.poll_event(), None);
    channels.handle_timeout(end);
    assert_eq!(event(&mut channels, end), Event::Closed(id));
    wait_until_gone(&mut channels, end);
    assert_eq!((channels.deadline(), channels.poll_event()), (None, None));
}

#[test]
fn one_that_does_not_hang_up_is_told_to_end_and_then_killed() {
    for (script, is_deaf) in
        [("exec cat >/dev/null", false), ("trap '' TERM; while :; do read -r l; done", true)]
    {
        let (mut channels, _, now) = to(script);
        let end = is_direct(&mut channels, now);
        channels.handle_timeout(end);
        let told = end + TIME_TO_END;
        assert_eq!(channels.deadline(), Some(told));
        channels.handle_timeout(told);
        if is_deaf {
            channels.handle_timeout(told + TIME_TO_END);
            assert_eq!(channels.open[0].state, State::Killed);
        }
        wait_until_gone(&mut channels, told);
    }
}

#[test]
fn while_it_carries_it_stays() {
    let (mut channels, _, now) = to("exec cat >/dev/null");
    channels.told(true, now);
    channels.moved(Kind::Carried, now);
    (1..10_000).for_each(|minute| channels.handle_timeout(now + Duration::from_secs(60) * minute));
    assert!(channels.poll_event().is_none() && channels.present().count() == 1);
}

#[test]
fn whatever_ends_it_its_way_is_gone_once() {
    for script in ["", "echo MOSHPUNCH BYE; exec cat", "echo MOSHPUNCH BYE gone", "yes MOSHPUNCH PING 1"] {
        let (mut channels, id, now) = to(&format!("read -r ping; {script}"));
        channels.ping(now);
        assert_eq!(event(&mut channels, now), Event::Closed(id), "{script}");
        channels.handle_timeout(now + TIME_TO_END);
        channels.handle_timeout(now + 2 * TIME_TO_END);
        wait_until_gone(&mut channels, now);
        assert_eq!(channels.poll_event(), None, "{script}");
    }
}

#[test]
fn one_that_is_closed_as_it_is_opened_never_carries() {
    let mut ended = to("exec cat").0.open.into_iter().next().unwrap().listened;
    let (mut channels, now) = (of_a_user(), clock::now());
    ended.channel_mut().unwrap().handle(wire::channel::Frame::Bye { reason: None }, now);
    channels.add(ended, Vec::new(), now);
    channels.read(now);
    assert_eq!((channels.poll_event(), channels.present().count()), (None, 0));
}

#[test]
fn one_that_answers_a_ping_is_sound_and_one_that_does_not_is_kept() {
    let answers =
        "while read -r m verb number; do [ \"$verb\" != PING ] || echo MOSHPUNCH PONG \"$number\"; done";
    for (script, is_sound) in [(answers, true), ("exec cat >/dev/null", false)] {
        let (mut channels, _, now) = to(script);
        channels.fell_silent(now);
        if is_sound {
            wait(&mut channels.descriptors().collect::<Vec<_>>(), None).unwrap();
            channels.read(now);
        }
        let late = now + Duration::from_secs(2);
        channels.handle_timeout(late);
        assert_eq!(channels.any_is_sound(), is_sound, "{script}");
        assert_eq!((channels.poll_event(), channels.present().count()), (None, 1), "it may be slow");
    }
}

#[test]
fn one_whose_address_is_gone_is_sound_again_once_it_answers() {
    let (mut channels, _, now) =
        to("while read -r m verb number; do [ \"$verb\" != PING ] || echo MOSHPUNCH PONG \"$number\"; done");
    assert!(channels.any_is_sound());
    channels.distrust(now);
    assert!(!channels.any_is_sound(), "before anything is overdue");
    wait(&mut channels.descriptors().collect::<Vec<_>>(), None).unwrap();
    channels.read(now);
    assert!(channels.any_is_sound());
}

#[test]
fn of_too_many_the_oldest_ends() {
    let (mut channels, first, now) = to("exec cat >/dev/null");
    for number in 2..=3 {
        let (other, ..) = to("exec cat >/dev/null");
        let listened = other.open.into_iter().next().unwrap().listened;
        channels.add(listened, Vec::new(), now);
        assert_eq!(channels.poll_event(), Some(Event::Opened(ChannelId(number))));
    }
    assert_eq!((channels.poll_event(), channels.poll_event()), (Some(Event::Closed(first)), None));
    assert_eq!(channels.present().count(), CHANNELS_MAXIMUM);
}

#[test]
fn at_the_end_of_the_session_all_hang_up() {
    let directory = tempfile::tempdir().unwrap();
    let said = directory.path().join("said");
    let (channels, ..) = to(&format!(
        "while read -r line; do echo \"$line\" >>{0}; case $line in *BYE*) exit ;; esac; done",
        said.display()
    ));
    channels.say_goodbye();
    assert_eq!(std::fs::read_to_string(said).unwrap(), "MOSHPUNCH A 0\nMOSHPUNCH BYE\n");
}

const PUNCHES: &str = "echo MOSHPUNCH CHANNEL 1 session=0000cafe window=16384 seen=20.0.0.9 punch\n";

/// To a host that takes rounds of hole punching, and says nothing but `says`.
fn puncher(says: &str) -> (Listened, Vec<Heard>) {
    let mut listened = listened(&format!("{PUNCHES}{says}"), true);
    loop {
        wait(&mut listened.descriptors().collect::<Vec<_>>(), None).unwrap();
        let (said, _) = listened.read(clock::now());
        if listened.channel().is_some() {
            return (listened, said.heard);
        }
    }
}

fn round() -> Round {
    let ports = Ports { v6: None, v4: Some(4_000) };
    Punching::default().ask(3, ports, None, [].into_iter(), Vec::new()).unwrap()
}

/// What the host has read is what it says.
const ANSWERS: &str = "while read -r line; do case $line in *PUNCH*to=20.0.0.9:4000) echo MOSHPUNCH PUNCHED 3 from=20.0.0.1:60001 ;; esac; done";

#[test]
fn a_round_is_asked_for_and_answered() {
    let (mut channels, now) = (of_a_user(), clock::now());
    assert!(!channels.punch(&round(), now), "there is nobody to ask");
    let (listened, heard) = puncher(ANSWERS);
    channels.add(listened, heard, now);
    assert_eq!(channels.poll_event(), Some(Event::PuncherCame));
    assert!(channels.punch(&round(), now));
    let outcome = Punched::Sent { from: vec!["20.0.0.1:60001".parse().unwrap()] };
    assert_eq!(event(&mut channels, now), Event::Punched { round: 3, outcome });
}

#[test]
fn there_is_a_puncher_until_the_last_has_gone() {
    let (mut channels, now) = (of_a_user(), clock::now());
    for _ in 0..2 {
        let (listened, heard) = puncher(HANGS_UP);
        channels.add(listened, heard, now);
        assert_eq!(event(&mut channels, now), Event::PuncherCame);
    }
    channels.end(0, now);
    assert_eq!(channels.poll_event(), None);
    assert!(channels.punch(&round(), now));
    channels.end(1, now);
    assert_eq!(channels.poll_event(), Some(Event::PunchersGone));
    assert!(!channels.punch(&round(), now));
}

#[test]
fn who_wants_no_round_has_no_puncher_and_who_wants_nothing_carried_has_one() {
    let now = clock::now();
    let add = |punch, carry, hello: (Listened, Vec<Heard>)| {
        let configuration = Configuration { punch, carry, ..Configuration::of("host") };
        let mut channels = Channels::new(&configuration);
        channels.add(hello.0, hello.1, now);
        from_fn(|| channels.poll_event()).collect::<Vec<_>>()
    };
    assert_eq!(add(false, true, puncher("exec cat")), []);
    assert_eq!(add(true, false, puncher("exec cat")), [Event::PuncherCame]);
    let mut both = listened(&HELLO.replace("carry", "carry punch"), true);
    while both.channel().is_none() {
        wait(&mut both.descriptors().collect::<Vec<_>>(), None).unwrap();
        both.read(now);
    }
    assert_eq!(add(true, false, (both, Vec::new())), [Event::PuncherCame]);
}
