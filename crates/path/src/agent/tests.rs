mod bounds;
mod carried;
mod changes;
mod mapped;
mod punched;
mod relayed;

use std::iter::from_fn;

use super::*;
use crate::candidate::{Family, Kind};
use crate::{MAX_BINDINGS, MAX_CANDIDATES_PER_KIND, MAX_LOG, MAX_SOCKETS, Primed, SOCKET_LINGER};

const LAN: &str = "192.168.1.10:60001";
const MAPPED: &str = "198.51.100.1:60001";
const LAN_WAY: WayId = WayId(1);
const MAPPED_WAY: WayId = WayId(0);

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn candidate(address: &str) -> Candidate {
    let kind = if address == LAN { Kind::Lan } else { Kind::Mapped };
    Candidate { kind, address: address.parse().unwrap() }
}

fn moved(to: WayId, address: &str) -> Event {
    let Candidate { kind, address } = candidate(address);
    Event::Moved { to, kind, address: Some(address) }
}

fn events(agent: &mut Agent) -> Vec<Event> {
    from_fn(|| agent.poll_event()).collect()
}

fn copies(agent: &mut Agent) -> Vec<WayId> {
    from_fn(|| agent.poll_transmit()).map(|transmit| transmit.way).collect()
}

fn datagram(agent: &mut Agent, now: Instant) -> Vec<WayId> {
    agent.handle_outgoing(now);
    copies(agent)
}

fn followed(agent: &Agent) -> Option<WayId> {
    agent.followed_way().map(|way| way.id)
}

/// To the newest datagram.
fn answer(agent: &mut Agent, way: WayId, sequence: u64, now: Instant) {
    let round_trip = agent.rhythm.since_datagram(now);
    answer_after(agent, round_trip, way, sequence, now);
}

fn answer_after(agent: &mut Agent, round_trip: Duration, way: WayId, sequence: u64, now: Instant) {
    agent.handle_reply(way, Reply { sequence, round_trip: Some(round_trip) }, now);
}

/// Lets time pass to `end`; what was queued, by milliseconds after `begin`.
fn pass(agent: &mut Agent, begin: Instant, end: Instant) -> Vec<(u128, Vec<Event>, Vec<WayId>)> {
    let (mut story, mut now) = (Vec::new(), begin);
    loop {
        let (events, copies) = (events(agent), copies(agent));
        for event in &events {
            if let Event::Open { socket, .. } = event {
                agent.handle_opened(*socket, now);
            }
        }
        if !events.is_empty() || !copies.is_empty() {
            story.push(((now - begin).as_millis(), events, copies));
            continue;
        }
        let Some(next) = agent.poll_timeout().filter(|&next| next <= end) else { break };
        now = next;
        agent.handle_timeout(now);
    }
    story
}

/// One socket, and a candidate on the LAN and a mapped one.
fn agent(now: Instant) -> Agent {
    let mut agent = Agent::new(7);
    agent.handle_candidates(&[candidate(LAN), candidate(MAPPED)], now);
    agent.handle_network(&[Binding::any(Family::V4)], now);
    agent.handle_opened(SocketId(0), now);
    assert_eq!(events(&mut agent), [Event::Open { socket: SocketId(0), binding: Binding::any(Family::V4) }]);
    agent
}

/// The race is over, the mapped path is followed, nothing is awaited.
fn settled(now: Instant) -> Agent {
    let mut agent = agent(now);
    datagram(&mut agent, now);
    answer(&mut agent, MAPPED_WAY, 1, now + ms(50));
    for second in 1..=2 {
        datagram(&mut agent, now + ms(1_000 * second));
        answer(&mut agent, MAPPED_WAY, 1 + second, now + ms(1_000 * second + 50));
    }
    events(&mut agent);
    agent
}

#[test]
fn the_first_datagrams_go_over_all_paths_best_first() {
    let now = start();
    let mut agent = agent(now);
    assert_eq!(datagram(&mut agent, now), [LAN_WAY, MAPPED_WAY]);
    assert_eq!(datagram(&mut agent, now + ms(30)), [LAN_WAY, MAPPED_WAY]);
}

#[test]
fn a_datagram_that_came_before_the_sockets_goes_out_with_them() {
    let now = start();
    let mut agent = Agent::new(7);
    agent.handle_candidates(&[candidate(MAPPED)], now);
    agent.handle_network(&[Binding::any(Family::V4)], now);
    assert_eq!(datagram(&mut agent, now), []);
    agent.handle_opened(SocketId(0), now + ms(1));
    assert_eq!(copies(&mut agent), [WayId(0)]);
}

#[test]
fn the_newest_reply_is_followed_once_the_race_is_over() {
    let now = start();
    let mut agent = agent(now);
    datagram(&mut agent, now);
    answer(&mut agent, MAPPED_WAY, 1, now + ms(50));
    assert_eq!(events(&mut agent), [moved(MAPPED_WAY, MAPPED), Event::Nudge]);
    assert_eq!(datagram(&mut agent, now + ms(999)), [LAN_WAY, MAPPED_WAY]);
    assert_eq!(datagram(&mut agent, now + ms(1_000)), [MAPPED_WAY]);
}

#[test]
fn the_first_reply_alone_is_answered_by_a_nudge() {
    let now = start();
    let mut agent = agent(now);
    datagram(&mut agent, now);
    answer(&mut agent, MAPPED_WAY, 1, now + ms(50));
    assert!(events(&mut agent).contains(&Event::Nudge));
    datagram(&mut agent, now + ms(300));
    answer(&mut agent, LAN_WAY, 2, now + ms(350));
    assert_eq!(events(&mut agent), [moved(LAN_WAY, LAN)]);
}

#[test]
fn among_equals_what_was_told_last_goes_first_and_then_in_the_servers_order() {
    let now = start();
    let mut agent = agent(now);
    let candidates = [20, 21].map(|host| Candidate {
        kind: Kind::Lan,
        address: format!("192.168.1.{host}:60001").parse().unwrap(),
    });
    agent.handle_candidates(&candidates, now);
    let told = candidates.map(|candidate| agent.way_between(SocketId(0), candidate.address).unwrap());
    assert_eq!(datagram(&mut agent, now), [told[0], told[1], LAN_WAY, MAPPED_WAY]);
}

#[test]
fn of_too_many_of_a_kind_the_servers_best_are_tried() {
    let now = start();
    let mut agent = agent(now);
    let address = |host| SocketAddr::from(([10, 0, 0, host], 60_001));
    let many: Vec<_> = (1..=9).map(|host| Candidate { kind: Kind::Global, address: address(host) }).collect();
    agent.handle_candidates(&many, now);
    let tried = |host| agent.way_between(SocketId(0), address(host)).is_some();
    assert_eq!((1..=9).filter(|&host| tried(host)).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn an_unanswered_race_goes_on() {
    let now = start();
    let mut agent = agent(now);
    for second in 0..9 {
        assert_eq!(datagram(&mut agent, now + ms(1_000 * second)), [LAN_WAY, MAPPED_WAY]);
    }
}

#[test]
fn an_old_sequence_number_changes_nothing() {
    let now = start();
    let mut agent = settled(now);
    datagram(&mut agent, now + ms(2_500));
    let awaited = agent.poll_timeout();
    answer(&mut agent, LAN_WAY, 3, now + ms(2_510));
    answer(&mut agent, LAN_WAY, 1, now + ms(2_510));
    assert_eq!((events(&mut agent), agent.poll_timeout()), (vec![], awaited));
    assert_eq!((followed(&agent), agent.counters().stale_replies), (Some(MAPPED_WAY), 2));
}

#[test]
fn an_old_stray_reply_changes_nothing_either() {
    let now = start();
    let mut agent = settled(now);
    let typed = now + ms(2_500);
    datagram(&mut agent, typed);
    for sequence in [3, 1] {
        agent.handle_stray_reply(Reply { sequence, round_trip: Some(ms(10)) }, typed + ms(10));
    }
    answer(&mut agent, LAN_WAY, 2, typed + ms(20));
    assert_eq!((followed(&agent), agent.counters().stale_replies), (Some(MAPPED_WAY), 3));
    assert_eq!(pass(&mut agent, typed, typed + ms(200)), [(200, vec![], vec![LAN_WAY])], "still awaited");
}

#[test]
fn silence_copies_the_datagram_nudges_hops_and_raises_the_alarm() {
    let now = start();
    let mut agent = settled(now);
    let typed = now + ms(2_500);
    assert_eq!(datagram(&mut agent, typed), [MAPPED_WAY]);
    let open = |socket| Event::Open { socket: SocketId(socket), binding: Binding::any(Family::V4) };
    assert_eq!(
        pass(&mut agent, typed, typed + ms(3_200)),
        [
            (200, vec![], vec![LAN_WAY]),
            (400, vec![Event::Nudge], vec![]),
            (800, vec![Event::Nudge], vec![]),
            (1_400, vec![open(1)], vec![]),
            (1_400, vec![], vec![WayId(3), WayId(2)]),
            (1_600, vec![Event::Nudge], vec![]),
            (2_900, vec![open(2)], vec![]),
            (2_900, vec![], vec![WayId(5), WayId(4)]),
            (3_200, vec![Event::Nudge, Event::Silent], vec![]),
        ]
    );
}

#[test]
fn in_a_silence_new_sockets_go_first_and_later_they_and_the_flow_that_worked_take_turns() {
    let now = start();
    let mut agent = settled(now);
    let typed = now + ms(2_500);
    datagram(&mut agent, typed);
    pass(&mut agent, typed, typed + ms(1_400));
    let (lan, mapped) = (WayId(3), WayId(2));
    for after in [1_410, 1_420] {
        assert_eq!(datagram(&mut agent, typed + ms(after)), [lan, mapped, MAPPED_WAY]);
    }
    pass(&mut agent, typed, typed + ms(4_000));
    let (lan, mapped) = (WayId(5), WayId(4));
    assert_eq!(datagram(&mut agent, typed + ms(4_010)), [lan, MAPPED_WAY, mapped]);
    assert_eq!(datagram(&mut agent, typed + ms(4_020)), [lan, mapped, MAPPED_WAY]);
    assert_eq!(datagram(&mut agent, typed + ms(4_030)), [lan, MAPPED_WAY, mapped]);
}

#[test]
fn an_answer_ends_a_silence_and_a_second_later_its_race() {
    let now = start();
    let mut agent = settled(now);
    let typed = now + ms(2_500);
    datagram(&mut agent, typed);
    pass(&mut agent, typed, typed + ms(300));
    answer(&mut agent, LAN_WAY, 9, typed + ms(310));
    assert_eq!(agent.log().last().map(|entry| (entry.way, entry.reason)), Some((LAN_WAY, Reason::Silence)));
    assert_eq!(pass(&mut agent, typed, typed + ms(2_000)).len(), 1, "the event, and no more nudges");
    assert_eq!(datagram(&mut agent, typed + ms(2_000)), [LAN_WAY]);
}

#[test]
fn a_silence_that_begins_in_an_answered_race_outlasts_it() {
    let now = start();
    let mut agent = agent(now);
    datagram(&mut agent, now);
    answer(&mut agent, MAPPED_WAY, 1, now + ms(50));
    datagram(&mut agent, now + ms(500));
    pass(&mut agent, now, now + ms(1_000));
    assert_eq!(datagram(&mut agent, now + ms(2_000)), [LAN_WAY, MAPPED_WAY]);
}

#[test]
fn a_reply_that_answers_nothing_does_not_end_the_wait() {
    let now = start();
    let mut agent = settled(now);
    let typed = now + ms(2_500);
    datagram(&mut agent, typed);
    agent.handle_reply(MAPPED_WAY, Reply { sequence: 9, round_trip: None }, typed + ms(100));
    assert_eq!(pass(&mut agent, typed, typed + ms(200)), [(200, vec![], vec![LAN_WAY])]);
}

#[test]
fn a_heartbeat_is_answered_by_the_servers_own() {
    let now = start();
    let mut agent = settled(now);
    let beat = now + ms(2_000 + 3_000);
    datagram(&mut agent, beat);
    assert_eq!(agent.poll_timeout(), Some(beat + ms(3_200)));
    agent.handle_reply(MAPPED_WAY, Reply { sequence: 9, round_trip: None }, beat + ms(2_000));
    assert_eq!(agent.poll_timeout(), Some(now + ms(50) + SOCKET_LINGER));
}

/// mosh-server prints, or says again what nobody acknowledges. Whatever comes in between looks like an acknowledgement.
#[test]
fn a_server_that_goes_on_to_say_that_it_heard_nothing_has_fallen_silent() {
    for gap in [20, 50, 100, 120] {
        let now = start();
        let mut agent = settled(now);
        let begin = now + ms(2_400);
        let speak = |agent: &mut Agent, number: u64| {
            let reply = Reply { sequence: 9 + number, round_trip: None };
            agent.handle_reply(MAPPED_WAY, reply, begin + ms(gap * number));
        };
        (0..=100 / gap).for_each(|number| speak(&mut agent, number));
        let sent = begin + ms(100 / gap * gap + 100);
        datagram(&mut agent, sent);
        assert!(agent.poll_timeout() > Some(sent + ms(1_000)), "it is taken for an acknowledgement");
        for number in 100 / gap + 1..1_000 / gap {
            pass(&mut agent, sent, begin + ms(gap * number));
            speak(&mut agent, number);
        }
        assert_eq!(agent.counters().silences, 1, "every {gap} ms");
    }
}

/// It may have been under way already, and a second later it tells nothing.
#[test]
fn nor_does_a_single_one_tell_that_soon_or_that_late() {
    for (after, expected) in [(150, 0), (250, 1), (950, 1), (1_050, 0)] {
        let now = start();
        let mut agent = settled(now);
        let beat = now + ms(2_000 + 3_000);
        datagram(&mut agent, beat);
        agent.handle_reply(MAPPED_WAY, Reply { sequence: 9, round_trip: None }, beat + ms(after));
        pass(&mut agent, beat, beat + ms(3_100));
        assert_eq!(agent.counters().silences, expected, "after {after} ms");
    }
}

#[test]
fn a_refusal_of_the_kernel_is_silence_at_once() {
    let now = start();
    let mut agent = settled(now);
    datagram(&mut agent, now + ms(2_500));
    agent.handle_unreachable(LAN_WAY, now + ms(2_500));
    assert_eq!(copies(&mut agent), []);
    agent.handle_unreachable(MAPPED_WAY, now + ms(2_500));
    assert_eq!(copies(&mut agent), [LAN_WAY]);
}

#[test]
fn output_that_waits_is_no_deadline() {
    let now = start();
    let mut agent = agent(now);
    agent.handle_outgoing(now + ms(5));
    assert_eq!(agent.poll_timeout(), Some(now + ms(5) + MAX_PATIENCE));
    assert_eq!(copies(&mut agent).len(), 2);
}

#[test]
fn the_earliest_possible_instant_will_do() {
    let mut earliest = start();
    let powers = (0..64).rev().map(|power| 1 << power);
    let steps = powers.clone().map(Duration::from_secs).chain(powers.map(Duration::from_nanos));
    for step in steps {
        earliest = earliest.checked_sub(step).unwrap_or(earliest);
    }
    assert_eq!(earliest.checked_sub(Duration::from_nanos(1)), None);
    let mut agent = settled(earliest);
    datagram(&mut agent, earliest);
    agent.handle_timeout(earliest);
    assert_eq!(followed(&agent), Some(MAPPED_WAY));
}

/// By whatever mosh-server heard, and however often mosh-client was nudged meanwhile.
#[test]
fn a_round_trip_that_takes_long_is_learnt_in_silences() {
    let now = start();
    let mut agent = settled(now);
    let typed = now + ms(2_500);
    datagram(&mut agent, typed);
    pass(&mut agent, typed, typed + ms(400));
    datagram(&mut agent, typed + ms(405));
    (9..40).for_each(|sequence| {
        answer_after(&mut agent, ms(600), MAPPED_WAY, sequence, typed + ms(610));
    });
    let typed = typed + ms(2_000);
    datagram(&mut agent, typed);
    let silent = agent.poll_timeout().map(|at| (at - typed).as_millis());
    assert!(silent.is_some_and(|after| (850..=900).contains(&after)), "{silent:?}");
}

fn opened(event: Event) -> Option<SocketId> {
    if let Event::Open { socket, .. } = event { Some(socket) } else { None }
}
