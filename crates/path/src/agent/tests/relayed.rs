//! Beside a host that takes rounds, where a relay has been named.

use std::net::IpAddr;

use super::*;
use crate::HEAD_START;
use crate::relay::RELAY_PATIENCE;

const CARRIER: WayId = WayId(2);
const NAMED: &str = "198.51.100.1:60009";
const THE_RELAYS: SocketId = SocketId(3);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A round is proven for a second in vain, and the relay has been asked.
fn allocating(now: Instant) -> (Agent, Instant) {
    let mut agent = agent(now);
    agent.handle_relay_offered(now);
    agent.handle_carrier(now);
    agent.handle_puncher(now);
    datagram(&mut agent, now);
    agent.handle_timeout(now + HEAD_START);
    answer(&mut agent, CARRIER, 1, now + ms(250));
    agent.handle_timeout(now + ms(250));
    agent.handle_opened(SocketId(1), now + ms(250));
    agent.handle_punched(1, &[address(NAMED)], now + ms(400));
    let asked = now + ms(400) + RELAY_PATIENCE;
    events(&mut agent);
    pass(&mut agent, now, asked - ms(1));
    agent.handle_timeout(asked);
    let allocate = Event::Allocate { socket: THE_RELAYS, family: Family::V4 };
    let permit = |peer: &str| Event::Permit { socket: THE_RELAYS, peer: address(peer).ip() };
    let asked_for = events(&mut agent);
    assert!(asked_for.starts_with(&[allocate, permit(NAMED)]), "{asked_for:?}");
    assert!(!asked_for.contains(&permit(LAN)), "it is in a network of its own: {asked_for:?}");
    (agent, asked)
}

/// What a relay would be asked for: the family of its address, and what is to be let in.
fn asked_of_relay(candidates: &[(Kind, &str)]) -> (Family, Vec<IpAddr>) {
    let (mut agent, now) = (Agent::new(1), start());
    let candidates: Vec<_> =
        candidates.iter().map(|&(kind, at)| Candidate { kind, address: address(at) }).collect();
    agent.handle_candidates(&candidates, now);
    agent.allocate(now);
    let events = events(&mut agent);
    let family = events.iter().find_map(|event| match event {
        Event::Allocate { family, .. } => Some(*family),
        _ => None,
    });
    let peers = events.iter().filter_map(|event| match event {
        Event::Permit { peer, .. } => Some(*peer),
        _ => None,
    });
    (family.expect("it is asked"), peers.collect())
}

#[test]
fn a_relay_is_asked_for_the_family_by_which_the_host_is_seen_from_outside() {
    let (own, global) = ("192.168.1.10:60001", "[2a00:2::10]:60001");
    let (asked, expected) = (asked_of_relay(&[(Kind::Lan, own), (Kind::Global, global)]), address(global));
    assert_eq!(asked, (Family::V6, vec![expected.ip()]));
    let only = asked_of_relay(&[(Kind::Lan, own)]);
    assert_eq!(
        only,
        (Family::V4, vec![address(own).ip()]),
        "whoever asks the relay tells that it is private"
    );
}

/// The host's opener has come by it.
fn relayed(now: Instant) -> (Agent, Instant, WayId) {
    let (mut agent, mut now) = allocating(now);
    now += ms(400);
    agent.handle_opened(THE_RELAYS, now);
    let asked = events(&mut agent);
    let punch = Event::Punch { round: 2, v6: None, v4: Some(THE_RELAYS) };
    assert!(asked.contains(&punch), "{asked:?}");
    agent.handle_punched(2, &[], now + ms(50));
    assert_eq!(agent.way_between(THE_RELAYS, address(NAMED)), None, "no way but to where openers come from");
    agent.handle_opener(THE_RELAYS, address(NAMED), now + ms(100));
    let way = agent.way_between(THE_RELAYS, address(NAMED)).unwrap();
    datagram(&mut agent, now + ms(110));
    answer(&mut agent, way, 2, now + ms(200));
    assert_eq!(followed(&agent), Some(way));
    (agent, now + ms(200), way)
}

#[test]
fn what_openers_come_by_is_followed() {
    let (agent, ..) = relayed(start());
    let standing = agent.standing();
    assert!(standing.punched_since.is_some() && standing.direct_since.is_none(), "it needs help again");
    assert_eq!(agent.log().last().map(|entry| entry.reason), Some(Reason::Probe));
}

#[test]
fn what_comes_after_the_relay_is_a_find_and_no_change_of_the_network() {
    let (mut agent, now, way) = relayed(start());
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(1_000));
    datagram(&mut agent, now + ms(1_000));
    answer(&mut agent, CARRIER, 3, now + ms(1_050));
    answer(&mut agent, way, 4, now + ms(1_100));
    answer(&mut agent, LAN_WAY, 5, now + ms(1_150));
    let reasons: Vec<_> = agent.log().map(|entry| entry.reason).collect();
    assert_eq!(reasons[2..], [Reason::NetworkChanged, Reason::Probe, Reason::Probe]);
}
