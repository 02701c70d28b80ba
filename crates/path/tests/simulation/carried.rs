//! Where UDP does not come through, does so in one direction only, or begins to.

use std::time::Duration;

use path::{Family, Kind};

use crate::link::Link;
use crate::scenarios::{abroad, session};
use crate::world::{IPV6, LAN, MAPPED, MAPPED_AGAIN, Udp, World, address, ms};

pub(crate) const ALL: &[&str] = &[LAN, IPV6, MAPPED];

/// One way; a little more than that of the network, for there are programs in between.
pub(crate) const CHANNEL: Duration = ms(22);

/// There and back, and what mosh-server takes.
pub(crate) const ROUND: Duration = ms(2 * 22 + 10);

pub(crate) const HEAD_START: Duration = ms(200);

/// What the issue allows a direct way that appears.
const FOUND_IN_HASTE: Duration = ms(10_000);
pub(crate) const FOUND: Duration = ms(70_000);

/// What is typed 100 ms after an answer looks like an acknowledgement, until mosh-client sends it again. Then UDP is asked
/// again first.
const LIKE_AN_ACKNOWLEDGEMENT: Duration = ms(1_500);

fn network() -> Link {
    abroad("203.0.113.5", ms(20))
}

pub(crate) fn carried_session(udp: Udp) -> World {
    let mut world = World::new(ALL, 1);
    world.udp = udp;
    world.attach(Some(network()));
    world.open_channel(CHANNEL);
    world.run(Duration::from_secs(30));
    assert_eq!(world.kind(), Some(Kind::Carried));
    world
}

/// Until something is true, looked at each 10 ms; how long that took.
pub(crate) fn time_until(
    world: &mut World,
    limit: Duration,
    is_true: impl Fn(&World) -> bool,
) -> Option<Duration> {
    let begin = world.now;
    while world.now < begin + limit {
        if is_true(world) {
            return Some(world.now - begin);
        }
        world.run(ms(10));
    }
    None
}

fn carried(world: &World) -> u64 {
    world.sent.get(&Kind::Carried).copied().unwrap_or_default() + world.carried_down
}

#[test]
fn the_first_answer_comes_whichever_way_udp_is_blocked() {
    let first_answer = |candidates, udp| {
        let mut world = World::new(candidates, 1);
        world.udp = udp;
        world.attach(Some(network()));
        world.open_channel(CHANNEL);
        time_until(&mut world, ms(20_000), |world| world.kind() == Some(Kind::Carried))
    };
    let within = |time: Option<Duration>, bound: Duration| time.is_some_and(|time| time <= bound);
    let nearest = ms(10);
    for udp in [Udp::BLOCKED, Udp::NO_WAY_THERE] {
        let time = first_answer(ALL, udp);
        assert!(within(time, HEAD_START + ROUND + nearest), "{udp:?} {time:?}");
    }
    let time = first_answer(ALL, Udp::NO_ANSWER);
    assert!(within(time, ms(500) + ROUND + ms(5) + nearest), "{time:?}");
    let time = first_answer(&[], Udp::BLOCKED);
    assert!(within(time, ROUND + nearest), "nothing to wait for: {time:?}");
}

#[test]
fn udp_that_works_is_never_beaten_by_a_channel_however_fast_it_is() {
    for delay in [1, 20, 90] {
        let mut world = World::new(ALL, 1);
        world.attach(Some(abroad("203.0.113.5", ms(delay))));
        world.open_channel(ms(1));
        for _ in 0..100 {
            world.type_key();
            world.run(ms(130));
        }
        assert_eq!((world.kind(), carried(&world)), (Some(Kind::Mapped), 0), "{delay} ms");
    }
}

#[test]
fn udp_slower_than_its_head_start_wins_for_good_unless_the_channel_is_faster_by_more_than_that() {
    for (delay, channel) in [(120, 121), (120, 30), (200, 110), (280, 281)] {
        let mut world = World::new(ALL, 1);
        world.attach(Some(abroad("203.0.113.5", ms(delay))));
        world.open_channel(ms(channel));
        for _ in 0..100 {
            world.type_key();
            world.run(ms(130));
        }
        assert_eq!(world.kind(), Some(Kind::Mapped), "{delay} ms");
        let before = (world.carried_down, world.laptop.agent.counters().moves);
        assert!(before.1 <= 3, "{delay} ms: {before:?}");
        for _ in 0..100 {
            world.type_key();
            world.run(ms(1_300));
        }
        let after = (world.carried_down, world.laptop.agent.counters().moves);
        assert_eq!(after, before, "{delay} ms");
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Channel,
    /// As the client does when a direct way has held for 30 s.
    ChannelThatCloses,
    /// One whose host takes rounds of hole punching.
    Puncher,
}

/// What has been sent by UDP in the whole story of a session.
fn sent_by_udp(delay: Duration, beside: Beside) -> Vec<(Kind, u64)> {
    let mut world = World::new(ALL, 1);
    world.attach(Some(abroad("203.0.113.5", delay)));
    match beside {
        Beside::Nothing => {}
        Beside::Channel | Beside::ChannelThatCloses => world.open_channel(delay + ms(2)),
        Beside::Puncher => world.open_puncher(delay + ms(2)),
    }
    world.run(ms(2_000));
    for _ in 0..100 {
        world.type_key();
        world.run(ms(700));
        let direct_since = world.laptop.agent.standing().direct_since;
        let held = direct_since.is_some_and(|since| world.now - since >= Duration::from_secs(30));
        if held && beside == Beside::ChannelThatCloses {
            world.end_channel();
        }
    }
    world.run(Duration::from_secs(3_600));
    world.sent.into_iter().filter(|&(kind, _)| kind != Kind::Carried).collect()
}

#[test]
fn a_session_over_a_direct_way_sends_not_one_datagram_more_for_a_channel() {
    for delay in [1, 20, 90, 150, 240].map(ms) {
        let alone = sent_by_udp(delay, Beside::Nothing);
        for beside in [Beside::Channel, Beside::ChannelThatCloses, Beside::Puncher] {
            assert_eq!(sent_by_udp(delay, beside), alone, "{delay:?}, {beside:?}");
        }
    }
}

#[test]
fn typing_is_echoed_over_the_channel_within_about_a_second_when_udp_dies() {
    for udp in [Udp::BLOCKED, Udp::NO_ANSWER, Udp::NO_WAY_THERE] {
        for idle in [0, 1_000, 2_950, 10_000] {
            let mut world = session(network(), ALL);
            world.open_channel(CHANNEL);
            world.run(ms(idle));
            world.udp = udp;
            let echo = world.echo_within(ms(5_000));
            assert!(echo.is_some_and(|echo| echo <= ms(1_000)), "{udp:?}, {idle} ms idle: {echo:?}");
            assert_eq!(world.kind(), Some(Kind::Carried));
        }
    }
}

#[test]
fn an_idle_session_leaves_udp_that_brings_nothing_after_two_heartbeats() {
    for udp in [Udp::BLOCKED, Udp::NO_ANSWER] {
        let mut world = session(network(), ALL);
        world.open_channel(CHANNEL);
        world.udp = udp;
        world.run(ms(3_000 + 3_000 + 1_500));
        assert_eq!(world.kind(), Some(Kind::Carried), "{udp:?}");
    }
}

/// A router that begins to map: what comes from a port that it has heard before goes on to be lost.
#[test]
fn a_direct_way_is_taken_within_ten_seconds_after_an_offer_and_nothing_is_carried_from_then_on() {
    for late in [0, 1_500, 9_000] {
        let mut world = World::new(&[MAPPED], 1);
        world.router.maps = false;
        world.attach(Some(network()));
        world.open_channel(CHANNEL);
        world.run(Duration::from_secs(30));
        world.offer(&[LAN]);
        world.run(ms(late));
        world.router.maps = true;
        let found = time_until(&mut world, FOUND_IN_HASTE - ms(late) + ms(300), is_mapped);
        assert!(found.is_some(), "{late} ms late");
        nothing_is_carried_any_more(&mut world);
    }
}

pub(crate) fn is_mapped(world: &World) -> bool {
    world.kind() == Some(Kind::Mapped)
}

/// A datagram or two are still on their way.
fn nothing_is_carried_any_more(world: &mut World) {
    world.run(ms(500));
    let (before, since) = (carried(world), world.laptop.agent.standing().direct_since);
    for _ in 0..600 {
        world.type_key();
        world.run(ms(6_000));
    }
    assert_eq!((carried(world), world.laptop.agent.standing().direct_since), (before, since));
    assert!(since.is_some());
}

#[test]
fn a_direct_way_that_opens_without_a_sign_is_taken_within_seventy_seconds() {
    for (udp, typing) in [Udp::BLOCKED, Udp::NO_ANSWER, Udp::NO_WAY_THERE]
        .into_iter()
        .flat_map(|udp| [false, true].map(|typing| (udp, typing)))
    {
        let mut world = carried_session(udp);
        world.run(Duration::from_secs(100));
        world.udp = Udp::OPEN;
        let begin = world.now;
        while !is_mapped(&world) && world.now < begin + FOUND {
            if typing {
                world.type_key();
            }
            world.run(ms(170));
        }
        assert!(is_mapped(&world), "{udp:?}, typing: {typing}");
        nothing_is_carried_any_more(&mut world);
    }
}

#[test]
fn a_router_that_begins_to_map_without_a_sign_is_found_within_seventy_seconds() {
    let mut world = World::new(&[MAPPED], 1);
    world.router.maps = false;
    world.attach(Some(network()));
    world.open_channel(CHANNEL);
    world.run(Duration::from_secs(100));
    world.router.maps = true;
    assert!(time_until(&mut world, FOUND, is_mapped).is_some());
}

#[test]
fn a_change_of_the_network_finds_a_direct_way_at_once() {
    let mut world = carried_session(Udp::BLOCKED);
    world.run(Duration::from_secs(100));
    world.udp = Udp::OPEN;
    world.attach(Some(abroad("192.0.2.7", ms(20))));
    assert!(world.echo_within(ms(1_000)).is_some_and(|echo| echo <= ms(150 + 40)));
    assert!(is_mapped(&world));
}

/// The connection by TCP is gone, and nobody has noticed.
#[test]
fn after_a_change_a_channel_that_is_opened_anew_is_used_at_once() {
    let mut world = carried_session(Udp::NO_ANSWER);
    world.attach(Some(abroad("192.0.2.7", ms(20))));
    world.type_key();
    world.run(ms(700));
    assert_eq!(world.echo(), None);
    world.open_channel(CHANNEL);
    world.run(ms(5) + ROUND + ms(1));
    assert!(world.echo().is_some(), "{}", world.in_short());
    let moves = world.laptop.agent.counters().moves;
    world.end_channel();
    assert_eq!(world.echo_within(ms(1_000)), Some(ROUND), "the old one's end is no matter");
    assert_eq!(world.laptop.agent.counters().moves, moves);
}

/// It was slow, which is noticed, and is not any more when another one has been opened beside it.
#[test]
fn a_channel_beside_one_that_works_takes_its_place_unnoticed() {
    let mut world = carried_session(Udp::BLOCKED);
    let old = world.laptop.agent.followed_way().map(|way| way.id);
    world.open_channel(CHANNEL);
    assert_eq!(world.echo_within(ms(1_000)), Some(ROUND));
    assert_ne!(world.laptop.agent.followed_way().map(|way| way.id), old);
    world.end_channel();
    for _ in 0..10 {
        assert!(world.echo_within(ms(1_000)).is_some_and(|echo| echo <= HEAD_START + ms(5) + ROUND));
    }
    assert!(world.laptop.agent.standing().carried_since.is_some());
}

#[test]
fn a_channel_beside_it_that_is_stuck_keeps_a_session_from_nothing() {
    let mut world = carried_session(Udp::BLOCKED);
    world.open_channel(CHANNEL);
    world.channels.up().skip(1).for_each(|channel| channel.stuck = true);
    for _ in 0..100 {
        assert!(world.echo_within(ms(500)).is_some_and(|echo| echo <= HEAD_START + ms(5) + ROUND));
    }
    world.udp = Udp::OPEN;
    assert!(time_until(&mut world, FOUND, is_mapped).is_some());
}

#[test]
fn a_channel_that_ends_leaves_the_session_to_another_or_to_udp() {
    let mut world = carried_session(Udp::BLOCKED);
    world.end_channel();
    assert_eq!(world.echo_within(ms(1_000)), None);
    assert_eq!(world.laptop.agent.standing().carried_since, None);
    world.open_channel(CHANNEL);
    assert!(world.echo_within(ms(1_000)).is_some_and(|echo| echo <= ROUND));
    world.udp = Udp::OPEN;
    world.end_channel();
    assert!(world.echo_within(ms(3_000)).is_some_and(|echo| echo <= ms(50)));
    assert!(is_mapped(&world));
}

#[test]
fn a_stuck_channel_is_left_for_udp_that_works() {
    let mut world = carried_session(Udp::BLOCKED);
    world.udp = Udp::OPEN;
    world.channels.up().for_each(|channel| channel.stuck = true);
    assert!(world.echo_within(ms(2_000)).is_some_and(|echo| echo <= ms(1_000)));
    assert!(is_mapped(&world));
}

/// A router whose entries die a minute after they were made, whatever is sent.
#[test]
fn a_way_that_dies_every_minute_is_left_alone_more_and_more() {
    let mut world = session(network(), ALL);
    world.open_channel(CHANNEL);
    let mut falls_by_quarter = [0; 8];
    let begin = world.now;
    while world.now < begin + Duration::from_secs(7_200) {
        if is_mapped(&world) && time_until(&mut world, Duration::from_secs(60), |w| !is_mapped(w)).is_none() {
            world.udp = Udp::BLOCKED;
            let echo = world.echo_within(ms(5_000));
            assert!(echo.is_some_and(|echo| echo <= LIKE_AN_ACKNOWLEDGEMENT), "{echo:?}");
            world.udp = Udp::OPEN;
            falls_by_quarter[usize::try_from((world.now - begin).as_secs() / 900).unwrap().min(7)] += 1;
        }
        world.run(ms(500));
    }
    assert!(falls_by_quarter[0] <= 6 && falls_by_quarter[0] >= 4, "{falls_by_quarter:?}");
    assert!(falls_by_quarter[2..].iter().all(|&falls| (1..=2).contains(&falls)), "{falls_by_quarter:?}");
    world.attach(Some(network()));
    world.open_channel(CHANNEL);
    assert!(world.echo_within(ms(1_000)).is_some());
    assert!(is_mapped(&world), "in another network it is tried at once");
}

#[test]
fn a_quiet_carried_hour_costs_sixty_trials_of_three_datagrams() {
    let mut world = carried_session(Udp::BLOCKED);
    let (sent, counters) = (world.sent.clone(), world.laptop.agent.counters());
    world.run(Duration::from_secs(3_600));
    let sent_since = |kind| world.sent[&kind] - sent[&kind];
    assert!((3 * 60..=3 * 69).contains(&sent_since(Kind::Mapped)), "{}", sent_since(Kind::Mapped));
    let after = world.laptop.agent.counters();
    assert_eq!((after.silences, after.hops, after.moves), (counters.silences, counters.hops, counters.moves));
    let heartbeats = sent_since(Kind::Carried);
    assert!((1_150..=1_600).contains(&heartbeats), "{heartbeats}");
    assert_eq!(world.echo_within(ms(1_000)), Some(ROUND));
}

/// What is typed during a trial waits for its end.
#[test]
fn trials_that_come_to_nothing_cost_typing_a_head_start_at_most() {
    for udp in [Udp::BLOCKED, Udp::NO_ANSWER, Udp::NO_WAY_THERE] {
        let mut world = carried_session(udp);
        world.offer(&[MAPPED_AGAIN]);
        for _ in 0..2_000 {
            world.type_key();
            world.run(ms(67));
        }
        world.run(ms(1_000));
        let mut echoes: Vec<_> =
            world.client.keys.iter().map(|key| key.echoed.map(|echoed| echoed - key.typed)).collect();
        assert!(echoes.iter().all(Option::is_some));
        echoes.sort_unstable();
        assert!(
            echoes.last().unwrap().unwrap() <= HEAD_START + ms(5) + ROUND,
            "{udp:?}: {:?}",
            echoes.last()
        );
        assert_eq!(echoes[echoes.len() * 95 / 100], Some(ROUND), "{udp:?}");
        assert_eq!(world.kind(), Some(Kind::Carried));
    }
}

#[test]
fn a_network_with_no_udp_at_all_waits_for_none() {
    let mut world = World::new(&[IPV6], 1);
    world.attach(Some(Link::new(&[Family::V4], ms(20))));
    world.open_channel(CHANNEL);
    assert!(world.echo_within(ms(1_000)).is_some_and(|echo| echo <= ROUND));
    world.serves.remove(&address(IPV6));
    assert_eq!(world.kind(), Some(Kind::Carried));
}
