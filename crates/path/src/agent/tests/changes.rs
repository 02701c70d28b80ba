//! Networks, candidates and sockets that come and go.

use super::*;

#[test]
fn a_change_of_the_network_nudges_once_and_once_more_for_the_rest_of_a_burst() {
    let now = start();
    let mut agent = settled(now);
    let change = now + ms(2_500);
    for message in 0..5 {
        agent.handle_network(&[Binding::any(Family::V4)], change + ms(message));
    }
    assert_eq!(
        pass(&mut agent, change, change + ms(1_000)),
        [(0, vec![Event::Nudge], vec![]), (100, vec![Event::Nudge], vec![])]
    );
    assert_eq!(datagram(&mut agent, change + ms(1_000)), [LAN_WAY, MAPPED_WAY]);
}

#[test]
fn what_was_typed_just_before_a_change_is_copied_at_once() {
    let now = start();
    let mut agent = settled(now);
    datagram(&mut agent, now + ms(2_500));
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(2_550));
    assert_eq!(copies(&mut agent), [LAN_WAY, MAPPED_WAY]);
}

#[test]
fn a_jump_of_the_clock_is_a_change_of_the_network() {
    let now = start();
    let mut agent = settled(now);
    assert_eq!(datagram(&mut agent, now + ms(2_050) + CLOCK_JUMP - ms(1)), [LAN_WAY, MAPPED_WAY], "a probe");
    answer(&mut agent, MAPPED_WAY, 9, now + ms(2_050) + CLOCK_JUMP);
    assert_eq!(events(&mut agent), []);
    agent.handle_timeout(now + ms(2_050) + 2 * CLOCK_JUMP);
    assert_eq!(events(&mut agent), [Event::Nudge]);
    answer(&mut agent, LAN_WAY, 10, now + ms(2_100) + 2 * CLOCK_JUMP);
    assert_eq!(agent.log().last().map(|entry| entry.reason), Some(Reason::Woke));
}

#[test]
fn what_went_to_a_port_before_it_was_mapped_goes_there_again_from_another_socket() {
    let now = start();
    let mut agent = Agent::new(7);
    let resolved = Candidate { kind: Kind::Resolved, ..candidate(MAPPED) };
    agent.handle_candidates(&[resolved], now);
    agent.handle_network(&[Binding::any(Family::V4)], now);
    agent.handle_opened(SocketId(0), now);
    events(&mut agent);
    assert_eq!(datagram(&mut agent, now + ms(5)), [WayId(0)]);
    agent.handle_candidates(&[candidate(MAPPED)], now + ms(60));
    assert_eq!(events(&mut agent), [Event::Open { socket: SocketId(1), binding: Binding::any(Family::V4) }]);
    agent.handle_opened(SocketId(1), now + ms(60));
    assert_eq!(copies(&mut agent), [WayId(1)]);
    answer(&mut agent, WayId(1), 1, now + ms(80));
    agent.handle_candidates(&[Candidate { kind: Kind::Global, ..resolved }], now + ms(90));
    assert!(!events(&mut agent).iter().any(|event| matches!(event, Event::Open { .. })), "it is followed");
}

#[test]
fn a_better_candidate_that_comes_later_gets_three_copies() {
    let now = start();
    let mut agent = settled(now);
    let better = Candidate { kind: Kind::Lan, address: "10.0.0.9:60001".parse().unwrap() };
    agent.handle_withdrawn(candidate(LAN).address, now + ms(2_400));
    agent.handle_candidates(&[better], now + ms(2_500));
    let sent: Vec<_> = (1..=4).map(|step| datagram(&mut agent, now + ms(2_500 + 30 * step)).len()).collect();
    assert_eq!(sent, [2, 2, 2, 1]);
    agent.handle_candidates(&[better], now + ms(2_700));
    assert_eq!(datagram(&mut agent, now + ms(2_700)), [MAPPED_WAY], "it is known");
}

#[test]
fn a_withdrawn_path_is_left_with_a_nudge_and_its_late_replies_count_for_nothing() {
    let now = start();
    let mut agent = settled(now);
    agent.handle_withdrawn(candidate(MAPPED).address, now + ms(2_500));
    assert_eq!(events(&mut agent), [Event::Nudge]);
    answer(&mut agent, MAPPED_WAY, 9, now + ms(2_510));
    assert_eq!(datagram(&mut agent, now + ms(2_520)), [LAN_WAY]);
    answer(&mut agent, LAN_WAY, 9, now + ms(2_530));
    assert_eq!(agent.log().last().map(|entry| entry.reason), Some(Reason::Withdrawn));
}

#[test]
fn the_socket_of_a_flow_that_worked_is_closed_after_five_minutes() {
    let now = start();
    let mut agent = settled(now);
    let wifi = Binding { family: Family::V4, address: Some("10.0.0.2".parse().unwrap()) };
    agent.handle_network(&[wifi], now + ms(2_500));
    agent.handle_opened(SocketId(1), now + ms(2_500));
    datagram(&mut agent, now + ms(2_505));
    let moved = now + ms(2_550);
    let way = agent.way_between(SocketId(1), candidate(MAPPED).address).unwrap();
    answer(&mut agent, way, 9, moved);
    events(&mut agent);
    let story = pass(&mut agent, moved, moved + ms(3_600_000));
    assert_eq!(closed(&story), [(300_000, SocketId(0))]);
    assert!(agent.way(MAPPED_WAY).is_none());
}

fn closed(story: &[(u128, Vec<Event>, Vec<WayId>)]) -> Vec<(u128, SocketId)> {
    let of = |(at, events, _): &(u128, Vec<Event>, _)| {
        let close = |event: &Event| if let Event::Close { socket } = event { Some(*socket) } else { None };
        events.iter().filter_map(close).map(|socket| (*at, socket)).collect::<Vec<_>>()
    };
    story.iter().flat_map(of).collect()
}

#[test]
fn what_a_silence_has_opened_in_vain_is_closed_within_a_minute() {
    let now = start();
    let mut agent = settled(now);
    let typed = now + ms(2_500);
    datagram(&mut agent, typed);
    pass(&mut agent, typed, typed + ms(3_000));
    let ended = typed + ms(3_100);
    answer(&mut agent, MAPPED_WAY, 9, ended);
    let story = pass(&mut agent, ended, ended + ms(3_600_000));
    assert!(matches!(closed(&story)[..], [(..=60_000, SocketId(1))]), "but the newest: {story:?}");
    assert_eq!(agent.poll_timeout(), None, "nothing is left to be done");
}

#[test]
fn no_socket_is_closed_for_its_age_during_a_silence() {
    let now = start();
    let mut agent = settled(now);
    let mut told = Vec::new();
    for second in 3..62 {
        let now = now + ms(1_000 * second);
        agent.handle_outgoing(now);
        agent.handle_timeout(now);
        let events = events(&mut agent);
        events.iter().copied().filter_map(opened).for_each(|socket| agent.handle_opened(socket, now));
        told.extend(events);
    }
    let opened = told.iter().copied().filter_map(opened).count();
    let closed: Vec<_> = told.iter().filter(|event| matches!(event, Event::Close { .. })).collect();
    assert_eq!((opened, 1 + opened - closed.len()), (28, MAX_SOCKETS), "only to make room: {told:?}");
    assert!(agent.way(MAPPED_WAY).is_some(), "and not the one that worked");
}

#[test]
fn changes_without_end_put_off_neither_hop_nor_alarm() {
    let now = start();
    let mut agent = settled(now);
    datagram(&mut agent, now + ms(2_500));
    for change in 0..10 {
        let now = now + ms(3_000 + 500 * change);
        agent.handle_timeout(now);
        agent.handle_network(&[Binding::any(Family::V4)], now);
    }
    assert_eq!(agent.counters().hops, 3);
    assert!(events(&mut agent).contains(&Event::Silent));
}

#[test]
fn what_is_queued_is_not_queued_twice() {
    let now = start();
    let mut agent = settled(now);
    datagram(&mut agent, now + ms(2_500));
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(2_550));
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(2_551));
    assert_eq!(copies(&mut agent), [LAN_WAY, MAPPED_WAY]);
}

#[test]
fn an_answer_from_before_a_race_does_not_end_it() {
    let now = start();
    let mut agent = settled(now);
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(2_500));
    answer(&mut agent, MAPPED_WAY, 9, now + ms(2_501));
    datagram(&mut agent, now + ms(2_505));
    assert_eq!(datagram(&mut agent, now + ms(3_600)), [LAN_WAY, MAPPED_WAY]);
}

#[test]
fn a_candidate_that_turns_out_to_be_better_lifts_its_paths() {
    let now = start();
    let mut agent = settled(now);
    let better = Candidate { kind: Kind::Lan, ..candidate(MAPPED) };
    agent.handle_candidates(&[better], now + ms(2_500));
    assert_eq!(agent.way(MAPPED_WAY).map(|way| way.rank().kind), Some(Kind::Lan));
}

#[test]
fn a_socket_that_could_not_be_opened_is_tried_again_at_the_next_change() {
    let now = start();
    let (mut agent, binding) = (Agent::new(7), Binding::any(Family::V6));
    agent.handle_network(&[binding], now);
    events(&mut agent);
    agent.handle_open_failed(SocketId(0), now);
    agent.handle_network(&[binding], now + ms(1));
    assert_eq!(events(&mut agent), [Event::Open { socket: SocketId(1), binding }]);
}
