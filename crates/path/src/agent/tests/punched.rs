//! Beside a host that takes rounds of hole punching.

use super::*;
use crate::HEAD_START;
use crate::round::{FIRST_ROUND_PATIENCE, MAX_REMOTES, MAX_SOURCES, ROUND_GAP, ROUND_SPAN, ROUND_WAITS};

const CARRIER: WayId = WayId(2);

/// Of the round.
const FRESH: SocketId = SocketId(1);

const NAMED: &str = "198.51.100.1:60009";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn prime(socket: SocketId, remote: &str) -> Event {
    Event::Prime { socket, remote: address(remote), primed: Primed::Router }
}

/// Its channel is followed, and nothing is awaited. A round is due at once.
fn carried(now: Instant) -> Agent {
    let mut agent = agent(now);
    assert_eq!(agent.handle_carrier(now), CARRIER);
    agent.handle_puncher(now);
    datagram(&mut agent, now);
    agent.handle_timeout(now + HEAD_START);
    assert_eq!(copies(&mut agent), [CARRIER]);
    answer(&mut agent, CARRIER, 1, now + ms(250));
    let moved = Event::Moved { to: CARRIER, kind: Kind::Carried, address: None };
    assert_eq!(events(&mut agent), [moved, Event::Nudge]);
    agent
}

/// And the host has been asked.
fn asked(now: Instant) -> Agent {
    let mut agent = carried(now);
    agent.handle_timeout(now + ms(250));
    assert_eq!(events(&mut agent), [Event::Open { socket: FRESH, binding: Binding::any(Family::V4) }]);
    agent.handle_opened(FRESH, now + ms(250));
    let primes = [LAN, MAPPED].map(|remote| prime(FRESH, remote));
    assert_eq!(
        events(&mut agent),
        [primes[0], primes[1], Event::Punch { round: 1, v6: None, v4: Some(FRESH) }]
    );
    datagram(&mut agent, now + ms(255));
    answer(&mut agent, CARRIER, 2, now + ms(305));
    agent
}

fn way(agent: &Agent, socket: SocketId, remote: &str) -> Option<WayId> {
    agent.way_between(socket, address(remote))
}

/// After the host has said that its openers are under way.
fn proving(now: Instant) -> Agent {
    let mut agent = asked(now);
    agent.handle_punched(1, &[address(NAMED)], now + ms(400));
    agent
}

#[test]
fn nothing_is_sent_by_the_sockets_of_a_round_before_the_hosts_openers_are_under_way() {
    let now = start();
    let mut agent = asked(now);
    assert_eq!(way(&agent, FRESH, MAPPED), None);
    let story = pass(&mut agent, now, now + ms(250) + ROUND_SPAN);
    let fresh = [way(&agent, FRESH, LAN), way(&agent, FRESH, MAPPED)];
    assert_eq!(fresh, [None, None]);
    let (at, last, _) = story.last().unwrap();
    assert!(*at == 3_250 && last.contains(&Event::Close { socket: FRESH }), "without a word it has failed");
}

#[test]
fn what_is_new_goes_over_a_hole_and_not_over_the_channel() {
    let now = start();
    let mut agent = proving(now);
    assert!(events(&mut agent).contains(&Event::Nudge));
    let punched = [NAMED, LAN, MAPPED].map(|remote| way(&agent, FRESH, remote).unwrap());
    let copies = datagram(&mut agent, now + ms(405));
    assert!(punched.iter().all(|way| copies.contains(way)) && !copies.contains(&CARRIER), "{copies:?}");
}

#[test]
fn an_answer_ends_the_round_and_keeps_its_socket_alone() {
    let now = start();
    let mut agent = proving(now);
    let hole = way(&agent, FRESH, NAMED).unwrap();
    datagram(&mut agent, now + ms(405));
    events(&mut agent);
    answer(&mut agent, hole, 3, now + ms(450));
    let moved = Event::Moved { to: hole, kind: Kind::Punched, address: Some(address(NAMED)) };
    assert_eq!(events(&mut agent), [moved]);
    assert_eq!(pass(&mut agent, now, now + ms(500)), [(500, vec![Event::Nudge], vec![])]);
    let standing = agent.standing();
    assert_eq!((standing.carried_since, standing.direct_since), (None, None), "it needs help again");
    let mut sequence = 3;
    for second in 1..400 {
        datagram(&mut agent, now + ms(second * 1_000));
        sequence += 1;
        answer(&mut agent, hole, sequence, now + ms(second * 1_000 + 50));
        agent.handle_timeout(now + ms(second * 1_000 + 60));
    }
    assert!(!events(&mut agent).contains(&Event::Close { socket: FRESH }));
    assert_eq!(followed(&agent), Some(hole));
}

#[test]
fn what_comes_after_the_last_resort_is_a_find_and_no_change_of_the_network() {
    let now = start();
    let mut agent = proving(now);
    let reasons = |agent: &Agent| agent.log().map(|entry| entry.reason).collect::<Vec<_>>();
    let hole = way(&agent, FRESH, NAMED).unwrap();
    answer(&mut agent, hole, 3, now + ms(450));
    assert_eq!(reasons(&agent), [Reason::First, Reason::Probe]);
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(1_000));
    datagram(&mut agent, now + ms(1_000));
    answer(&mut agent, CARRIER, 4, now + ms(1_300));
    answer(&mut agent, LAN_WAY, 5, now + ms(1_350));
    assert_eq!(reasons(&agent)[2..], [Reason::NetworkChanged, Reason::Probe]);
}

#[test]
fn a_mapping_that_comes_while_a_hole_is_followed_is_tried_by_a_new_socket() {
    let now = start();
    let mut agent = proving(now);
    let hole = way(&agent, FRESH, NAMED).unwrap();
    answer(&mut agent, hole, 3, now + ms(450));
    pass(&mut agent, now, now + ms(900));
    let mapped = Candidate { kind: Kind::Mapped, address: address(NAMED) };
    agent.handle_candidates(&[mapped], now + ms(1_000));
    let opened = events(&mut agent).into_iter().find_map(|event| match event {
        Event::Open { socket, .. } => Some(socket),
        _ => None,
    });
    let socket = opened.expect("a new socket");
    agent.handle_opened(socket, now + ms(1_000));
    let better = way(&agent, socket, NAMED).unwrap();
    assert!(datagram(&mut agent, now + ms(1_100)).contains(&better));
    answer(&mut agent, better, 4, now + ms(1_150));
    assert_eq!(followed(&agent), Some(better));
}

#[test]
fn a_round_that_fails_takes_its_sockets_and_ways_with_it() {
    let now = start();
    let mut agent = proving(now);
    let mut story = Vec::new();
    for second in 1..40 {
        story.extend(pass(&mut agent, now, now + ms(1_000 * second)));
        agent.handle_timeout(now + ms(1_000 * second));
    }
    let times = |wanted: &dyn Fn(&Event) -> bool| -> Vec<_> {
        story.iter().filter(|(_, events, _)| events.iter().any(wanted)).map(|(at, ..)| *at).collect()
    };
    // It has learnt an address, which the next one begins with.
    let failed = (ms(250) + ROUND_GAP).as_millis();
    assert_eq!(times(&|event| *event == Event::Close { socket: FRESH }), [failed]);
    assert_eq!(times(&|event| matches!(event, Event::Punch { round: 2, .. })), [failed]);
    // What the host has told is primed in that one, which is not answered in this story. In the third the host is first.
    let third = failed + (ROUND_SPAN + ROUND_WAITS[1]).as_millis();
    assert_eq!(times(&|event| matches!(event, Event::Punch { round: 3, .. })), [third]);
    assert_eq!(times(&|event| matches!(event, Event::Prime { .. })), [failed]);
    assert_eq!(way(&agent, FRESH, NAMED), None);
}

#[test]
fn a_source_of_an_opener_is_one_more_address() {
    let now = start();
    let mut agent = asked(now);
    let other = "198.51.100.1:1024";
    agent.handle_opener(SocketId(0), address(other), now + ms(400));
    assert_eq!(way(&agent, SocketId(0), other), None, "that is not the round's");
    agent.handle_opener(FRESH, address(other), now + ms(400));
    let hole = way(&agent, FRESH, other).unwrap();
    assert!(events(&mut agent).contains(&Event::Nudge), "no word of the host is waited for");
    assert!(datagram(&mut agent, now + ms(405)).contains(&hole));
    for port in 2_000..3_000 {
        agent.handle_opener(FRESH, SocketAddr::from(([198, 51, 100, 1], port)), now + ms(410));
    }
    let ways = (0..10_000).filter_map(|id| agent.way(WayId(id)));
    assert_eq!(ways.filter(|way| way.socket() == Some(FRESH)).count(), 2 + MAX_SOURCES);
    assert!(datagram(&mut agent, now + ms(420)).len() <= MAX_COPIES);
}

#[test]
fn no_more_sources_are_asked_about_than_a_round_takes() {
    let now = start();
    let mut agent = asked(now);
    let source = |port| SocketAddr::from(([198, 51, 100, 1], port));
    assert!(!agent.expects_opener(SocketId(0), source(1)), "that is not the round's");
    let mut expected = Vec::new();
    for port in 1..100 {
        if agent.expects_opener(FRESH, source(port)) {
            expected.push(port);
            agent.handle_opener(FRESH, source(port), now + ms(400));
        }
    }
    assert_eq!(expected.len(), MAX_SOURCES);
    assert!(agent.expects_opener(FRESH, source(expected[0])), "it is known, and costs nothing");
    assert!(agent.expects_opener(FRESH, address(MAPPED)));
    pass(&mut agent, now, now + ms(400) + ROUND_SPAN);
    assert!(!agent.expects_opener(FRESH, source(expected[0])), "the round is over");
}

#[test]
fn ways_of_a_round_get_their_copies_however_many_others_rank_before_them() {
    let now = start();
    let mut agent = carried(now);
    let kinds = [Kind::Lan, Kind::Global, Kind::Mapped, Kind::Resolved];
    let many = kinds.iter().enumerate().flat_map(|(network, &kind)| {
        let address = move |host| SocketAddr::from(([10, 0, u8::try_from(network).unwrap(), host], 60_001));
        (1..5).map(move |host| Candidate { kind, address: address(host) })
    });
    agent.handle_candidates(&many.collect::<Vec<_>>(), now + ms(251));
    pass(&mut agent, now, now + ms(260));
    agent.handle_punched(1, &[address(NAMED)], now + ms(400));
    let fresh: Vec<_> = (0..1_000).filter_map(|id| agent.way(WayId(id))).collect();
    let fresh = fresh.iter().filter(|way| way.kind == Kind::Punched && way.socket() != Some(SocketId(0)));
    let fresh: Vec<_> = fresh.map(|way| way.id).collect();
    let copies = datagram(&mut agent, now + ms(405));
    assert_eq!((fresh.len(), copies.len()), (MAX_REMOTES, MAX_COPIES));
    assert!(fresh.iter().all(|way| copies.contains(way)), "{copies:?}");
}

#[test]
fn what_the_host_learns_later_is_tried_however_many_were_known() {
    let now = start();
    let mut agent = asked(now);
    let many: Vec<_> = (1..=20).map(|port| SocketAddr::from(([198, 51, 100, 7], port))).collect();
    agent.handle_punched(1, &many, now + ms(400));
    let learnt = "198.51.100.1:1024";
    agent.handle_punched(1, &[address(learnt), many[0]], now + ms(500));
    let hole = way(&agent, FRESH, learnt).expect("a way to where a server has seen the host");
    assert!(datagram(&mut agent, now + ms(505)).contains(&hole));
    agent.handle_punched(
        1,
        &(1..=20).map(|port| SocketAddr::from(([198, 51, 100, 8], port))).collect::<Vec<_>>(),
        now + ms(510),
    );
    let ways = (0..10_000).filter_map(|id| agent.way(WayId(id)));
    assert_eq!(ways.filter(|way| way.socket() == Some(FRESH)).count(), MAX_REMOTES + MAX_SOURCES);
}

#[test]
fn openers_of_a_round_that_is_over_open_nothing() {
    let now = start();
    let mut agent = proving(now);
    pass(&mut agent, now, now + ms(400) + ROUND_SPAN);
    agent.handle_opener(FRESH, address("198.51.100.1:1024"), now + ms(4_000));
    agent.handle_punched(1, &[address("198.51.100.1:1025")], now + ms(4_000));
    assert_eq!(copies(&mut agent), []);
    assert!((0..10_000).filter_map(|id| agent.way(WayId(id))).all(|way| way.kind != Kind::Punched));
}

#[test]
fn a_name_that_answers_once_openers_have_come_from_there_is_a_hole_until_the_host_has_mapped_it() {
    let now = start();
    let mut agent = asked(now);
    agent.handle_candidates(&[Candidate { kind: Kind::Resolved, address: address(NAMED) }], now + ms(306));
    let plain = way(&agent, SocketId(0), NAMED).unwrap();
    assert_eq!(agent.way(plain).map(|way| way.kind), Some(Kind::Resolved));
    agent.handle_punched(1, &[address(NAMED)], now + ms(310));
    assert_eq!(agent.way(plain).map(|way| way.kind), Some(Kind::Punched));
    agent.handle_candidates(&[Candidate { kind: Kind::Mapped, address: address(NAMED) }], now + ms(320));
    let hole = way(&agent, FRESH, NAMED).unwrap();
    let kind = |way| agent.way(way).map(|way| way.kind);
    assert_eq!([kind(plain), kind(hole)], [Some(Kind::Mapped), Some(Kind::Punched)]);
}

#[test]
fn an_address_that_is_withdrawn_leaves_the_hole_to_there() {
    let now = start();
    let mut agent = proving(now);
    let hole = way(&agent, FRESH, MAPPED).unwrap();
    datagram(&mut agent, now + ms(405));
    answer(&mut agent, hole, 3, now + ms(450));
    agent.handle_candidates(&[Candidate { kind: Kind::Lan, address: address(MAPPED) }], now + ms(480));
    assert_eq!(agent.log().last().map(|entry| entry.kind), Some(Kind::Punched), "whatever else leads there");
    agent.handle_withdrawn(address(MAPPED), now + ms(500));
    assert_eq!(followed(&agent), Some(hole));
    assert_eq!(way(&agent, SocketId(0), MAPPED), None);
}

#[test]
fn without_a_channel_that_carries_a_round_begins_a_second_after_the_first_datagram() {
    let now = start();
    let mut agent = agent(now);
    agent.handle_puncher(now);
    datagram(&mut agent, now);
    let story = pass(&mut agent, now, now + FIRST_ROUND_PATIENCE);
    let asked =
        story.iter().find(|(_, events, _)| events.iter().any(|event| matches!(event, Event::Punch { .. })));
    assert_eq!(asked.map(|(at, ..)| *at), Some(1_000));
    agent.handle_punched(1, &[], now + ms(1_050));
    let copied = copies(&mut agent);
    assert!(copied.contains(&way(&agent, FRESH, MAPPED).unwrap()), "the newest datagram: {copied:?}");
}

#[test]
fn a_way_that_works_brings_no_round() {
    let now = start();
    let mut agent = settled(now);
    agent.handle_puncher(now + ms(2_100));
    assert_eq!(pass(&mut agent, now, now + ms(9_000)), []);
}

#[test]
fn what_a_channel_was_asked_for_in_vain_is_asked_by_the_next() {
    let now = start();
    let mut agent = asked(now);
    agent.handle_puncher(now + ms(400));
    let story = pass(&mut agent, now, now + ms(400));
    let told: Vec<_> = story.into_iter().flat_map(|(_, events, _)| events).collect();
    assert!(told.contains(&Event::Close { socket: FRESH }));
    assert!(told.iter().any(|event| matches!(event, Event::Punch { round: 2, .. })), "{told:?}");
}

#[test]
fn what_a_channel_has_not_answered_is_asked_by_the_next_though_the_round_has_failed() {
    let now = start();
    let mut agent = asked(now);
    let failed = now + ms(250) + ROUND_SPAN;
    pass(&mut agent, now, failed);
    agent.handle_puncher(failed + ms(1_000));
    let story = pass(&mut agent, now, failed + ms(1_000));
    let told: Vec<_> = story.into_iter().flat_map(|(_, events, _)| events).collect();
    assert!(told.iter().any(|event| matches!(event, Event::Punch { round: 2, .. })), "{told:?}");
}

#[test]
fn what_is_left_of_a_round_that_is_over_is_not_asked_for() {
    let now = start();
    let mut agent = carried(now);
    agent.handle_timeout(now + ms(250));
    events(&mut agent);
    agent.handle_opened(FRESH, now + ms(250));
    agent.handle_puncher_gone(now + ms(260));
    assert_eq!(events(&mut agent), [Event::Close { socket: FRESH }]);
    assert_eq!(agent.poll_timeout().filter(|&next| next < now + ms(1_000)), None);
}

#[test]
fn a_change_ends_a_round_and_begins_another_by_other_sockets() {
    let now = start();
    let mut agent = proving(now);
    events(&mut agent);
    let changed = now + ms(1_000);
    agent.handle_network(&[Binding::any(Family::V4)], changed);
    assert!(events(&mut agent).contains(&Event::Close { socket: FRESH }));
    let story = pass(&mut agent, now, now + ms(250) + ROUND_GAP);
    let asked = story.iter().filter(|(_, events, _)| {
        events.iter().any(|event| matches!(event, Event::Punch { round: 2, v4, .. } if *v4 != Some(FRESH)))
    });
    assert_eq!(asked.map(|(at, ..)| *at).collect::<Vec<_>>(), [1_750]);
}

/// Of both families, with candidates of both, carried, and asked to open the sockets of a round.
fn gathering(now: Instant) -> (Agent, [SocketId; 2]) {
    let mut agent = Agent::new(7);
    let global = Candidate { kind: Kind::Global, address: address(GLOBAL) };
    agent.handle_candidates(&[candidate(MAPPED), global], now);
    agent.handle_network(&[Family::V4, Family::V6].map(Binding::any), now);
    events(&mut agent).into_iter().filter_map(opened).for_each(|socket| agent.handle_opened(socket, now));
    let carrier = agent.handle_carrier(now);
    agent.handle_puncher(now);
    datagram(&mut agent, now);
    answer(&mut agent, carrier, 1, now + ms(50));
    events(&mut agent);
    agent.handle_timeout(now + ms(50));
    let fresh: Vec<_> = events(&mut agent).into_iter().filter_map(opened).collect();
    (agent, fresh.try_into().expect("one a family"))
}

const GLOBAL: &str = "[2001:db8::10]:60001";

fn opened(event: Event) -> Option<SocketId> {
    match event {
        Event::Open { socket, .. } => Some(socket),
        _ => None,
    }
}

#[test]
fn each_family_has_a_socket_of_its_own_in_a_round() {
    let now = start();
    let (mut agent, [v6, v4]) = gathering(now);
    agent.handle_opened(v4, now + ms(50));
    assert_eq!(events(&mut agent), [], "the other one is waited for");
    agent.handle_opened(v6, now + ms(50));
    let primes = [(v6, GLOBAL), (v4, MAPPED)].map(|(socket, remote)| prime(socket, remote));
    let punch = Event::Punch { round: 1, v6: Some(v6), v4: Some(v4) };
    assert_eq!(events(&mut agent), [primes[0], primes[1], punch]);
    agent.handle_punched(1, &[], now + ms(150));
    let ways = [way(&agent, v6, GLOBAL), way(&agent, v4, MAPPED), way(&agent, v4, GLOBAL)];
    assert_eq!(ways.map(|way| way.is_some()), [true, true, false]);
}

#[test]
fn a_family_without_a_socket_is_left_out_of_a_round() {
    let now = start();
    let (mut agent, [v6, v4]) = gathering(now);
    agent.handle_opened(v4, now + ms(50));
    agent.handle_open_failed(v6, now + ms(50));
    assert_eq!(events(&mut agent), [prime(v4, MAPPED), Event::Punch { round: 1, v6: None, v4: Some(v4) }]);
}

#[test]
fn a_refused_round_is_asked_again_when_the_host_takes_one() {
    let now = start();
    let mut agent = asked(now);
    agent.handle_punch_refused(2, now + ms(400));
    assert!(!events(&mut agent).contains(&Event::Close { socket: FRESH }), "that is another one");
    agent.handle_punch_refused(1, now + ms(400));
    assert!(events(&mut agent).contains(&Event::Close { socket: FRESH }));
    let story = pass(&mut agent, now, now + ms(400) + ROUND_GAP);
    let asks = |event: &Event| matches!(event, Event::Punch { round: 2, .. });
    let asked = story.iter().filter(|(_, events, _)| events.iter().any(asks)).map(|(at, ..)| *at);
    assert_eq!(asked.collect::<Vec<_>>(), [1_900]);
}
