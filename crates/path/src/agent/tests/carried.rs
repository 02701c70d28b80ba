//! Beside a channel that carries.

use super::*;
use crate::{HEAD_START, MAX_CARRIERS};

const CARRIER: WayId = WayId(2);

/// A socket, two candidates, and a channel.
fn agent_with_carrier(now: Instant) -> Agent {
    let mut agent = agent(now);
    assert_eq!(agent.handle_carrier(now), CARRIER);
    agent
}

/// The race is over, the channel is followed, nothing is awaited. Better ways are tried next a second after the answer.
fn carried(now: Instant) -> Agent {
    let mut agent = agent_with_carrier(now);
    datagram(&mut agent, now);
    agent.handle_timeout(now + HEAD_START);
    assert_eq!(copies(&mut agent), [CARRIER]);
    answer(&mut agent, CARRIER, 1, now + ms(250));
    assert_eq!(events(&mut agent), [carried_now(), Event::Nudge]);
    datagram(&mut agent, now + ms(255));
    answer(&mut agent, CARRIER, 2, now + ms(305));
    agent
}

fn carried_now() -> Event {
    Event::Moved { to: CARRIER, kind: Kind::Carried, address: None }
}

fn open(socket: u32) -> Event {
    Event::Open { socket: SocketId(socket), binding: Binding::any(Family::V4) }
}

#[test]
fn a_channel_gets_the_newest_datagram_when_one_was_not_answered_in_time() {
    let now = start();
    let mut agent = agent_with_carrier(now);
    assert_eq!(datagram(&mut agent, now), [LAN_WAY, MAPPED_WAY]);
    assert_eq!(datagram(&mut agent, now + ms(150)), [LAN_WAY, MAPPED_WAY]);
    assert_eq!(pass(&mut agent, now, now + ms(300)), [(200, vec![], vec![CARRIER])]);
}

#[test]
fn an_answer_in_time_leaves_it_with_nothing_to_do() {
    let now = start();
    let mut agent = agent_with_carrier(now);
    datagram(&mut agent, now);
    answer(&mut agent, MAPPED_WAY, 1, now + ms(199));
    assert_eq!(events(&mut agent), [moved(MAPPED_WAY, MAPPED), Event::Nudge]);
    assert_eq!(datagram(&mut agent, now + ms(204)), [LAN_WAY, MAPPED_WAY]);
    answer(&mut agent, MAPPED_WAY, 2, now + ms(300));
    assert_eq!(pass(&mut agent, now, now + ms(20_000)), []);
    assert_eq!(datagram(&mut agent, now + ms(20_000)), [LAN_WAY, MAPPED_WAY], "a probe");
}

#[test]
fn a_channel_alone_gets_everything_at_once_and_so_does_one_beside_ways_that_the_kernel_refuses() {
    let now = start();
    let mut agent = Agent::new(7);
    let carrier = agent.handle_carrier(now);
    assert_eq!(datagram(&mut agent, now), [carrier]);

    let mut agent = agent_with_carrier(now);
    datagram(&mut agent, now);
    agent.handle_unreachable(LAN_WAY, now);
    assert_eq!(copies(&mut agent), []);
    agent.handle_unreachable(MAPPED_WAY, now);
    assert_eq!(copies(&mut agent), [CARRIER]);
}

#[test]
fn a_channel_that_comes_later_waits_for_what_is_left_of_the_head_start() {
    let now = start();
    let mut agent = agent(now);
    datagram(&mut agent, now);
    agent.handle_carrier(now + ms(150));
    assert_eq!(pass(&mut agent, now, now + ms(300)), [(200, vec![], vec![CARRIER])]);
    let mut agent = super::agent(now);
    datagram(&mut agent, now);
    agent.handle_carrier(now + ms(250));
    assert_eq!(pass(&mut agent, now, now + ms(300)), [(250, vec![], vec![CARRIER])]);
}

/// The server may have had the copies that were not answered, so that only a datagram of its own moves it to the channel.
#[test]
fn in_a_silence_new_datagrams_go_in_turns_with_a_nudge_to_the_next() {
    let now = start();
    let mut agent = settled(now);
    agent.handle_carrier(now + ms(2_100));
    let typed = now + ms(2_500);
    assert_eq!(datagram(&mut agent, typed), [MAPPED_WAY]);
    assert_eq!(
        pass(&mut agent, typed, typed + ms(400)),
        [(200, vec![Event::Nudge], vec![LAN_WAY]), (400, vec![Event::Nudge], vec![CARRIER])],
        "without an answer to the nudge"
    );
    assert_eq!(datagram(&mut agent, typed + ms(405)), [LAN_WAY, MAPPED_WAY], "it may have been lost");
    assert_eq!(pass(&mut agent, typed, typed + ms(605)), [(605, vec![Event::Nudge], vec![CARRIER])]);
    let nudged = typed + ms(610);
    assert_eq!(datagram(&mut agent, nudged), [CARRIER]);
    let copied = (200, vec![], vec![LAN_WAY, MAPPED_WAY]);
    assert_eq!(pass(&mut agent, nudged, nudged + ms(200)), [(190, vec![Event::Nudge], vec![]), copied]);
    let again = nudged + ms(300);
    assert_eq!(datagram(&mut agent, again), [LAN_WAY, MAPPED_WAY]);
    assert_eq!(pass(&mut agent, again, again + ms(200)), [(200, vec![Event::Nudge], vec![CARRIER])]);
    assert_eq!(datagram(&mut agent, again + ms(205)), [CARRIER]);
    answer(&mut agent, CARRIER, 9, again + ms(250));
    assert_eq!(
        agent.log().last().map(|entry| (entry.kind, entry.reason)),
        Some((Kind::Carried, Reason::Silence))
    );
    events(&mut agent);
    assert_eq!(datagram(&mut agent, again + ms(300)), [CARRIER]);
}

#[test]
fn a_silence_that_finds_the_channel_asked_in_vain_nudges_at_once() {
    let now = start();
    let mut agent = agent_with_carrier(now);
    datagram(&mut agent, now);
    assert_eq!(
        pass(&mut agent, now, now + ms(500)),
        [(200, vec![], vec![CARRIER]), (500, vec![Event::Nudge], vec![LAN_WAY, MAPPED_WAY])]
    );
    assert_eq!(datagram(&mut agent, now + ms(505)), [CARRIER]);
}

#[test]
fn better_ways_are_tried_by_new_sockets_with_a_datagram_of_their_own() {
    let now = start();
    let mut agent = carried(now);
    let tried = now + ms(1_250);
    assert_eq!(pass(&mut agent, now, tried), [(1_250, vec![open(1), Event::Nudge], vec![])]);
    assert_eq!(datagram(&mut agent, tried + ms(5)), [WayId(4), WayId(3)]);
    assert_eq!(datagram(&mut agent, tried + ms(100)), [WayId(4), WayId(3)]);
    assert_eq!(pass(&mut agent, tried, tried + ms(205)), [(205, vec![Event::Nudge], vec![])]);
    assert_eq!(datagram(&mut agent, tried + ms(210)), [CARRIER]);
    answer(&mut agent, CARRIER, 9, tried + ms(260));
    assert_eq!(pass(&mut agent, tried, tried + ms(399)), []);
    assert_eq!(datagram(&mut agent, tried + ms(399)), [CARRIER]);
}

#[test]
fn a_trial_takes_three_datagrams_and_the_same_sockets() {
    let now = start();
    let mut agent = carried(now);
    let tried = now + ms(1_250);
    let (mut story, mut sequence) = (Vec::new(), 10);
    pass(&mut agent, now, tried);
    for turn in [0, 400, 800] {
        let turn = tried + ms(turn);
        story.push(datagram(&mut agent, turn + ms(5)));
        pass(&mut agent, turn, turn + ms(205));
        story.push(datagram(&mut agent, turn + ms(210)));
        sequence += 1;
        answer(&mut agent, CARRIER, sequence, turn + ms(260));
        pass(&mut agent, turn, turn + ms(400));
    }
    let (better, channel) = (vec![WayId(4), WayId(3)], vec![CARRIER]);
    assert_eq!(story, [&better, &channel, &better, &channel, &better, &channel].map(Vec::clone));
    assert_eq!(agent.poll_timeout(), Some(tried + ms(2_000)), "another one");
}

#[test]
fn an_answer_to_a_trial_moves_the_session_and_late_ones_do_not_move_it_back() {
    let now = start();
    let mut agent = carried(now);
    let tried = now + ms(1_250);
    pass(&mut agent, now, tried);
    datagram(&mut agent, tried + ms(5));
    pass(&mut agent, tried, tried + ms(205));
    assert_eq!(datagram(&mut agent, tried + ms(210)), [CARRIER]);
    answer_after(&mut agent, ms(305), WayId(3), 9, tried + ms(310));
    assert_eq!(events(&mut agent), [moved(WayId(3), MAPPED), Event::Nudge]);
    let fresh = tried + ms(315);
    datagram(&mut agent, fresh);
    answer(&mut agent, CARRIER, 10, fresh + ms(30));
    assert_eq!((followed(&agent), events(&mut agent)), (Some(WayId(3)), vec![]));
    let story = pass(&mut agent, fresh, fresh + ms(500));
    assert_eq!(story[0], (500, vec![Event::Nudge], vec![WayId(4)]), "it is still awaited");
}

/// Nothing is left of it: what it would have asked for at its end is not wanted any more.
#[test]
fn a_trial_that_was_answered_is_over() {
    let now = start();
    let mut agent = carried(now);
    let tried = now + ms(1_250);
    pass(&mut agent, now, tried);
    datagram(&mut agent, tried + ms(5));
    answer(&mut agent, WayId(3), 9, tried + ms(105));
    events(&mut agent);
    assert_eq!(datagram(&mut agent, tried + ms(110)), [WayId(3)]);
    answer(&mut agent, WayId(3), 10, tried + ms(160));
    assert_eq!(pass(&mut agent, tried, tried + ms(2_000)), []);
}

#[test]
fn no_better_way_is_tried_while_none_answers() {
    let now = start();
    let mut agent = carried(now);
    let typed = now + ms(1_000);
    datagram(&mut agent, typed);
    let story = pass(&mut agent, typed, typed + ms(1_000));
    assert_eq!(story[0], (200, vec![], vec![LAN_WAY, MAPPED_WAY]), "a silence");
    let opened = story.iter().flat_map(|(_, events, _)| events).copied().filter_map(opened);
    assert_eq!(opened.count(), 0, "{story:?}");
}

/// A copy that comes behind that of the channel would tell nothing; a trial does.
#[test]
fn new_candidates_get_no_copy_of_what_was_carried() {
    let now = start();
    let mut agent = carried(now);
    assert_eq!(datagram(&mut agent, now + ms(400)), [CARRIER]);
    let new = Candidate { kind: Kind::Lan, address: "10.0.0.9:60001".parse().unwrap() };
    agent.handle_candidates(&[new], now + ms(410));
    assert_eq!(copies(&mut agent), []);
}

#[test]
fn new_candidates_are_a_reason_to_try_at_once() {
    let now = start();
    let mut agent = carried(now);
    pass(&mut agent, now, now + ms(20_000));
    let told = now + ms(20_000);
    agent.handle_candidates(
        &[Candidate { kind: Kind::Lan, address: "10.0.0.9:60001".parse().unwrap() }],
        told,
    );
    assert_eq!(pass(&mut agent, told, told + ms(999)).first().map(|(at, ..)| *at), Some(0));
    assert_eq!(agent.counters().hops, 0);
    answer(&mut agent, CARRIER, 9, told + ms(10));
    agent.handle_candidates(&[candidate(LAN)], told + ms(999));
    assert_eq!(events(&mut agent), [], "it is known");
}

#[test]
fn a_newer_channel_is_tried_alone_and_before_all_else() {
    let now = start();
    let mut agent = carried(now);
    let newer = agent.handle_carrier(now + ms(400));
    assert_eq!(events(&mut agent), [Event::Nudge]);
    assert_eq!(datagram(&mut agent, now + ms(405)), [newer]);
    answer(&mut agent, newer, 9, now + ms(450));
    events(&mut agent);
    assert_eq!(datagram(&mut agent, now + ms(500)), [newer]);
    agent.handle_carrier_gone(CARRIER, now + ms(510));
    assert_eq!((followed(&agent), events(&mut agent)), (Some(newer), vec![]));
}

#[test]
fn of_three_channels_the_oldest_goes_that_is_not_followed() {
    let now = start();
    let mut agent = carried(now);
    let carriers: Vec<_> = (0..3).map(|_| agent.handle_carrier(now + ms(400))).collect();
    let there: Vec<_> = carriers.iter().filter(|&&carrier| agent.way(carrier).is_some()).collect();
    assert_eq!((there, followed(&agent)), (vec![&carriers[2]], Some(CARRIER)));
    let ways = (0..100).filter_map(|id| agent.way(WayId(id)));
    assert_eq!(ways.filter(|way| way.kind == Kind::Carried).count(), MAX_CARRIERS);
}

#[test]
fn a_channel_that_ends_is_left_with_a_nudge_and_only_a_channel_can_end() {
    let now = start();
    let mut agent = carried(now);
    agent.handle_carrier_gone(MAPPED_WAY, now + ms(400));
    assert!(agent.way(MAPPED_WAY).is_some());
    agent.handle_carrier_gone(CARRIER, now + ms(500));
    assert_eq!(events(&mut agent), [Event::Nudge]);
    answer(&mut agent, CARRIER, 9, now + ms(501));
    assert_eq!(datagram(&mut agent, now + ms(505)), [LAN_WAY, MAPPED_WAY]);
    answer(&mut agent, LAN_WAY, 9, now + ms(510));
    assert_eq!(agent.log().last().map(|entry| entry.reason), Some(Reason::Withdrawn));
}

#[test]
fn a_channel_gets_no_datagram_twice_and_is_among_the_copies_however_many_ways_there_are() {
    let now = start();
    let mut agent = agent(now);
    let address = |host| SocketAddr::from(([10, 0, 0, host], 60_001));
    let kinds = [Kind::Lan, Kind::Global, Kind::Mapped, Kind::Resolved];
    let many = (0..32).map(|host| Candidate { kind: kinds[usize::from(host) % 4], address: address(host) });
    agent.handle_candidates(&many.collect::<Vec<_>>(), now);
    datagram(&mut agent, now);
    pass(&mut agent, now, now + ms(600));
    let carrier = agent.handle_carrier(now + ms(600));
    assert_eq!(copies(&mut agent), [carrier]);
    let story = pass(&mut agent, now, now + ms(5_000));
    assert!(!story.iter().any(|(_, _, copies)| copies.contains(&carrier)), "{story:?}");
    assert_eq!(datagram(&mut agent, now + ms(5_000)), [carrier]);
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(5_100));
    assert!(!copies(&mut agent).contains(&carrier));
}

/// A burst is not longer for a channel, and the channel is not left out of it for its rank.
#[test]
fn a_channel_is_one_of_the_copies_of_a_burst() {
    let now = start();
    let mut agent = Agent::new(7);
    let address = |host| SocketAddr::from(([10, 0, 0, host], 60_001));
    let kinds = [Kind::Lan, Kind::Global, Kind::Mapped, Kind::Resolved];
    let many = (0..16).map(|host| Candidate { kind: kinds[usize::from(host) % 4], address: address(host) });
    agent.handle_candidates(&many.collect::<Vec<_>>(), now);
    let bindings = [2, 3].map(|host| Binding { family: Family::V4, address: Some([10, 9, 9, host].into()) });
    agent.handle_network(&bindings, now);
    let opened: Vec<_> = events(&mut agent).into_iter().filter_map(opened).collect();
    opened.into_iter().for_each(|socket| agent.handle_opened(socket, now));
    let followed = agent.handle_carrier(now);
    datagram(&mut agent, now);
    pass(&mut agent, now, now + HEAD_START);
    answer(&mut agent, followed, 1, now + ms(250));
    let beside = agent.handle_carrier(now + ms(260));
    agent.handle_carrier_gone(followed, now + ms(1_000));
    events(&mut agent);
    datagram(&mut agent, now + ms(1_005));
    pass(&mut agent, now, now + ms(1_010));
    agent.handle_timeout(now + ms(2_000));
    let copies = copies(&mut agent);
    assert_eq!((copies.len(), copies.contains(&beside)), (MAX_COPIES, true));
}

#[test]
fn standing_tells_for_how_long_a_session_is_carried_or_needs_no_help() {
    let now = start();
    let mut agent = carried(now);
    let standing = |agent: &Agent| {
        let standing = agent.standing();
        [standing.carried_since, standing.direct_since].map(|since| since.map(|at| (at - now).as_millis()))
    };
    assert_eq!(standing(&agent), [Some(250), None]);
    let newer = agent.handle_carrier(now + ms(400));
    answer(&mut agent, newer, 8, now + ms(450));
    assert_eq!(standing(&agent), [Some(250), None], "another channel");
    datagram(&mut agent, now + ms(900));
    answer(&mut agent, MAPPED_WAY, 9, now + ms(1_000));
    assert_eq!(standing(&agent), [None, Some(1_000)]);
    answer(&mut agent, LAN_WAY, 10, now + ms(1_100));
    assert_eq!(standing(&agent), [None, Some(1_000)], "another direct way");
    datagram(&mut agent, now + ms(2_000));
    pass(&mut agent, now, now + ms(2_600));
    assert_eq!(standing(&agent), [None, None], "a silence");
    answer(&mut agent, LAN_WAY, 11, now + ms(2_700));
    assert_eq!(standing(&agent), [None, Some(2_700)]);
    agent.handle_withdrawn(candidate(LAN).address, now + ms(2_800));
    assert_eq!(standing(&agent), [None, None]);
}

#[test]
fn the_time_that_was_left_to_others_is_none_of_the_channels() {
    let now = start();
    let mut agent = carried(now);
    let typed = now + ms(1_000);
    assert_eq!(datagram(&mut agent, typed), [CARRIER]);
    assert_eq!(pass(&mut agent, typed, typed + ms(200)), [(200, vec![], vec![LAN_WAY, MAPPED_WAY])]);
}

#[test]
fn at_a_change_what_was_typed_just_before_is_left_to_others_first() {
    let now = start();
    let mut agent = settled(now);
    agent.handle_carrier(now + ms(2_100));
    datagram(&mut agent, now + ms(2_500));
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(2_550));
    assert_eq!(copies(&mut agent), [LAN_WAY, MAPPED_WAY]);
}

/// The mapped path answers, and then does not.
fn fall(agent: &mut Agent, sequence: u64, at: Instant) {
    answer_after(agent, ms(150), MAPPED_WAY, sequence, at);
    datagram(agent, at + ms(500));
    pass(agent, at, at + ms(1_050));
    answer(agent, CARRIER, sequence + 1, at + ms(1_100));
    let last = agent.log().last().map(|entry| (entry.kind, entry.reason));
    assert_eq!(last, Some((Kind::Carried, Reason::Silence)));
    events(agent);
}

/// How long until the next trial, and where it goes.
fn next_trial(agent: &mut Agent, from: Instant) -> (u128, Vec<SocketAddr>) {
    let story = pass(agent, from, from + ms(1_000));
    let tried = datagram(agent, from + ms(1_005));
    let mut addresses: Vec<_> = tried.iter().filter_map(|&way| agent.way(way)?.address()).collect();
    addresses.dedup();
    (story[0].0, addresses)
}

#[test]
fn an_address_that_was_fallen_from_twice_rests_until_the_network_changes() {
    let now = start();
    let mut agent = carried(now);
    let [lan, mapped] = [LAN, MAPPED].map(|text| candidate(text).address);
    fall(&mut agent, 10, now + ms(2_000));
    assert_eq!(next_trial(&mut agent, now + ms(3_100)), (1_000, vec![lan, mapped]));
    fall(&mut agent, 20, now + ms(5_000));
    assert_eq!(next_trial(&mut agent, now + ms(6_100)), (1_000, vec![lan]));
    answer(&mut agent, CARRIER, 30, now + ms(7_200));
    let change = now + ms(8_000);
    agent.handle_network(&[Binding::any(Family::V4)], change);
    events(&mut agent);
    datagram(&mut agent, change + ms(5));
    pass(&mut agent, change, change + ms(300));
    answer(&mut agent, CARRIER, 31, change + ms(350));
    assert_eq!(next_trial(&mut agent, change + ms(351)).1, [lan, mapped]);
}

#[test]
fn in_a_silence_of_the_channel_the_first_turn_is_the_others() {
    let now = start();
    let mut agent = carried(now);
    let typed = now + ms(500);
    datagram(&mut agent, typed);
    pass(&mut agent, typed, typed + ms(400));
    assert_eq!(datagram(&mut agent, typed + ms(405)), [LAN_WAY, MAPPED_WAY]);
    assert_eq!(datagram(&mut agent, typed + ms(410)), [CARRIER]);
}

#[test]
fn who_types_on_gets_every_second_datagram_to_the_channel_before_a_silence() {
    let now = start();
    let mut agent = agent_with_carrier(now);
    datagram(&mut agent, now);
    assert_eq!(datagram(&mut agent, now + ms(150)), [LAN_WAY, MAPPED_WAY]);
    pass(&mut agent, now, now + ms(200));
    assert_eq!(datagram(&mut agent, now + ms(210)), [CARRIER]);
    assert_eq!(datagram(&mut agent, now + ms(220)), [LAN_WAY, MAPPED_WAY]);
    answer(&mut agent, MAPPED_WAY, 1, now + ms(230));
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(2_000));
    for after in [2_005, 2_010] {
        assert_eq!(datagram(&mut agent, now + ms(after)), [LAN_WAY, MAPPED_WAY], "all was answered");
    }
}

#[test]
fn after_a_change_a_channel_is_given_its_time_from_when_its_turn_comes() {
    let now = start();
    let mut agent = carried(now);
    let change = now + ms(500);
    agent.handle_network(&[Binding::any(Family::V4)], change);
    events(&mut agent);
    assert_eq!(datagram(&mut agent, change + ms(5)), [LAN_WAY, MAPPED_WAY]);
    let story = pass(&mut agent, change, change + ms(404));
    assert_eq!(story, [(100, vec![Event::Nudge], vec![]), (205, vec![], vec![CARRIER])][1..]);
}

#[test]
fn a_silence_of_a_race_gives_no_second_head_start() {
    let now = start();
    let mut agent = settled(now);
    agent.handle_carrier(now + ms(2_100));
    let change = now + ms(2_500);
    agent.handle_network(&[Binding::any(Family::V4)], change);
    assert_eq!(datagram(&mut agent, change + ms(5)), [LAN_WAY, MAPPED_WAY]);
    agent.handle_timeout(change + ms(205));
    assert_eq!(agent.counters().silences, 1);
    assert!(copies(&mut agent).contains(&CARRIER));
    assert_eq!(datagram(&mut agent, change + ms(210)), [CARRIER]);
}

#[test]
fn a_change_in_a_silence_leaves_no_head_start() {
    let now = start();
    let mut agent = settled(now);
    agent.handle_carrier(now + ms(2_100));
    let typed = now + ms(2_500);
    datagram(&mut agent, typed);
    pass(&mut agent, typed, typed + ms(200));
    agent.handle_network(&[Binding::any(Family::V4)], typed + ms(250));
    assert_eq!(copies(&mut agent), [LAN_WAY, MAPPED_WAY, CARRIER]);
}

#[test]
fn what_a_trial_finds_no_way_for_goes_over_the_channel_at_once() {
    let now = start();
    let mut agent = carried(now);
    let tried = now + ms(1_250);
    pass(&mut agent, now, tried);
    [LAN, MAPPED].into_iter().for_each(|text| agent.handle_withdrawn(candidate(text).address, tried));
    assert_eq!(datagram(&mut agent, tried + ms(5)), [CARRIER]);
}

#[test]
fn candidates_that_come_during_a_trial_begin_another_with_new_sockets() {
    let now = start();
    let mut agent = carried(now);
    let tried = now + ms(1_250);
    pass(&mut agent, now, tried);
    let new = Candidate { kind: Kind::Lan, address: "10.0.0.9:60001".parse().unwrap() };
    agent.handle_candidates(&[new], tried + ms(300));
    assert_eq!(events(&mut agent), [open(2), Event::Nudge]);
}

#[test]
fn a_trial_ends_with_the_silence_that_it_was_begun_before() {
    let now = start();
    let mut agent = carried(now);
    let tried = now + ms(1_250);
    datagram(&mut agent, tried - ms(100));
    pass(&mut agent, now, tried);
    datagram(&mut agent, tried + ms(5));
    pass(&mut agent, tried, tried + ms(100));
    assert_eq!(agent.counters().silences, 1);
    datagram(&mut agent, tried + ms(110));
    let story = pass(&mut agent, tried, tried + ms(310));
    assert!(story.iter().any(|(_, _, copies)| copies.contains(&CARRIER)), "{story:?}");
}

#[test]
fn a_move_among_direct_ways_or_into_another_network_is_no_fall() {
    let now = start();
    let [lan, mapped] = [LAN, MAPPED].map(|text| candidate(text).address);

    let mut agent = carried(now);
    answer_after(&mut agent, ms(50), MAPPED_WAY, 10, now + ms(1_000));
    datagram(&mut agent, now + ms(1_500));
    pass(&mut agent, now, now + ms(1_700));
    answer(&mut agent, LAN_WAY, 11, now + ms(1_750));
    events(&mut agent);
    fall(&mut agent, 20, now + ms(3_000));
    assert_eq!(next_trial(&mut agent, now + ms(4_100)).1, [lan, mapped]);

    let mut agent = carried(now);
    answer_after(&mut agent, ms(50), MAPPED_WAY, 10, now + ms(1_000));
    agent.handle_network(&[Binding::any(Family::V4)], now + ms(1_500));
    datagram(&mut agent, now + ms(1_505));
    answer(&mut agent, CARRIER, 11, now + ms(1_750));
    events(&mut agent);
    fall(&mut agent, 20, now + ms(3_000));
    assert_eq!(next_trial(&mut agent, now + ms(4_100)).1, [lan, mapped]);
}

/// It rests over the end of its channel, and no longer than the machine sleeps.
#[test]
fn an_address_rests_in_its_network_alone() {
    let now = start();
    let mut agent = carried(now);
    let mapped = candidate(MAPPED).address;
    fall(&mut agent, 10, now + ms(2_000));
    next_trial(&mut agent, now + ms(3_100));
    fall(&mut agent, 20, now + ms(5_000));
    let later = now + ms(7_000);
    agent.handle_carrier_gone(CARRIER, later);
    assert!(agent.damping.holds(mapped, later));
    agent.handle_timeout(later + CLOCK_JUMP);
    assert!(!agent.damping.holds(mapped, later + CLOCK_JUMP));
}

#[test]
fn falls_are_forgotten_with_their_addresses() {
    let now = start();
    let mut agent = carried(now);
    for number in 0..100_u64 {
        let at = now + ms(10_000 * number + 2_000);
        let address = SocketAddr::from(([198, 51, 100, 100], 1_000 + u16::try_from(number).unwrap()));
        agent.handle_candidates(&[Candidate { kind: Kind::Mapped, address }], at);
        pass(&mut agent, at, at);
        let way = agent.ways.ranked(|way| way.address() == Some(address))[0].id;
        answer_after(&mut agent, ms(50), way, 10 * number + 10, at);
        datagram(&mut agent, at + ms(400));
        datagram(&mut agent, at + ms(500));
        pass(&mut agent, at, at + ms(800));
        answer(&mut agent, CARRIER, 10 * number + 11, at + ms(900));
        assert!(agent.damping.has(address), "{number}");
        events(&mut agent);
    }
    assert!(agent.damping.len() <= 2 * MAX_CANDIDATES_PER_KIND, "{:?}", agent.damping);
}
