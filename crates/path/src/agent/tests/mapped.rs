//! Rounds of hole punching that our own router has to help with.

use super::*;
use crate::HEAD_START;
use crate::round::{MAPPING_SPAN, ROUND_SPAN, ROUND_WAITS};

const NAMED: &str = "198.51.100.1:60009";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Its channel is followed, and a round is due.
fn carried(candidates: &[Candidate], family: Family, now: Instant) -> Agent {
    let mut agent = Agent::new(1);
    agent.handle_candidates(candidates, now);
    agent.handle_network(&[Binding::any(family)], now);
    let Some(Event::Open { socket, .. }) = agent.poll_event() else { panic!("a socket is wanted") };
    agent.handle_opened(socket, now);
    let carrier = agent.handle_carrier(now);
    agent.handle_puncher(now);
    datagram(&mut agent, now);
    agent.handle_timeout(now + HEAD_START);
    copies(&mut agent);
    answer(&mut agent, carrier, 1, now + ms(250));
    events(&mut agent);
    agent
}

/// Lets time pass, beside a host whose word is all that comes of it, and tells nothing new; until there is such an event.
fn until(
    agent: &mut Agent,
    begin: Instant,
    is_awaited: impl Fn(&Event) -> bool,
) -> Option<(Instant, Vec<Event>)> {
    let (mut now, mut story) = (begin, Vec::new());
    while now < begin + Duration::from_secs(60) {
        agent.handle_timeout(now);
        while let Some(event) = agent.poll_event() {
            story.push(event);
            if is_awaited(&event) {
                return Some((now, story));
            }
            match event {
                Event::Open { socket, .. } => agent.handle_opened(socket, now),
                Event::Punch { round, .. } => agent.handle_punched(round, &[], now),
                _ => {}
            }
        }
        copies(agent);
        let next = agent.poll_timeout().map_or(now + ms(1_000), |next| next.min(now + ms(1_000)));
        now = next.max(now + ms(1));
    }
    None
}

/// Both orders have failed, and a mapping is wanted.
fn unmapped() -> (Agent, Instant, SocketId) {
    let now = start();
    let mut agent = carried(&[candidate(LAN), candidate(MAPPED)], Family::V4, now);
    let (now, story) = until(&mut agent, now, |event| matches!(event, Event::Map { .. })).unwrap();
    let rounds = story.iter().filter(|event| matches!(event, Event::Punch { .. }));
    assert_eq!(rounds.count(), 2);
    let Some(Event::Map { socket }) = story.last() else { panic!("{story:?}") };
    (agent, now, *socket)
}

#[test]
fn the_host_is_asked_once_a_port_is_mapped_and_is_the_first_to_send() {
    let (mut agent, now, socket) = unmapped();
    assert_eq!(events(&mut agent), []);
    agent.handle_mapped(socket, now + ms(100));
    let expected = [LAN, MAPPED].map(address);
    let primed = Primed::Machine;
    let [lan, mapped] = expected.map(|remote| Event::Prime { socket, remote, primed });
    let punch = Event::Punch { round: 3, v6: None, v4: Some(socket) };
    assert_eq!(events(&mut agent), [lan, mapped, punch], "nothing gets as far as a router's memory");
    agent.handle_punched(3, &[address(NAMED)], now + ms(150));
    let known = [NAMED, LAN, MAPPED].map(address);
    let leads_there = |agent: &Agent| known.map(|remote| agent.way_between(socket, remote).is_some());
    assert_eq!(leads_there(&agent), [false; 3]);
    agent.handle_opener(socket, address(MAPPED), now + ms(200));
    assert_eq!(leads_there(&agent), [false, false, true]);
    assert!(events(&mut agent).contains(&Event::Nudge));
    let hole = agent.way_between(socket, address(MAPPED)).unwrap();
    assert!(datagram(&mut agent, now + ms(205)).contains(&hole));
    answer(&mut agent, hole, 9, now + ms(250));
    assert_eq!(agent.followed_way().map(|way| way.kind), Some(Kind::Punched));
    assert!(!events(&mut agent).contains(&Event::Close { socket }));
}

#[test]
fn an_opener_before_the_host_was_asked_opens_nothing() {
    let (mut agent, now, socket) = unmapped();
    agent.handle_opener(socket, address(MAPPED), now);
    assert_eq!(agent.way_between(socket, address(MAPPED)), None);
}

#[test]
fn where_no_port_is_mapped_the_next_series_begins_thirty_seconds_later() {
    let (mut agent, now, socket) = unmapped();
    agent.handle_not_mapped(socket, now);
    assert_eq!(agent.poll_event(), Some(Event::Close { socket }));
    agent.handle_mapped(socket, now);
    assert_eq!(agent.poll_event(), None, "that is too late");
    let (again, _) = until(&mut agent, now, |event| matches!(event, Event::Punch { .. })).unwrap();
    assert_eq!(again - now, ROUND_WAITS[1]);
}

#[test]
fn a_router_that_is_waited_for_in_vain_is_one_that_maps_nothing() {
    let (mut agent, now, socket) = unmapped();
    let (closed, _) = until(&mut agent, now, |event| *event == Event::Close { socket }).unwrap();
    assert_eq!(closed - now, MAPPING_SPAN);
    let (again, _) = until(&mut agent, closed, |event| matches!(event, Event::Punch { .. })).unwrap();
    assert_eq!(again - closed, ROUND_WAITS[1]);
}

#[test]
fn by_ipv6_alone_none_is_asked_for_and_rounds_go_on() {
    let now = start();
    let global = Candidate { kind: Kind::Global, address: address("[2001:db8::10]:60001") };
    let mut agent = carried(&[global], Family::V6, now);
    // The one between has no socket that could be mapped.
    let is_next = |event: &Event| matches!(event, Event::Punch { round: 4, .. });
    let (next, story) = until(&mut agent, now, is_next).unwrap();
    assert!(!story.iter().any(|event| matches!(event, Event::Map { .. })));
    assert!(next - now >= 2 * ROUND_SPAN + ROUND_WAITS[1]);
}
