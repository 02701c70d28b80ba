use std::time::Duration;

use path::{Family, MAX_SOCKETS, Reason};

use crate::link::Link;
use crate::nat::{Behaviour, Nat};
use crate::world::{IPV6, LAN, MAPPED, MAPPED_AGAIN, World, address, ms};

const ALL: &[&str] = &[LAN, IPV6, MAPPED];

/// What the issue allows a keystroke after the link is up, besides the path's round trip.
const MOVE: Duration = ms(150);

pub(crate) fn home() -> Link {
    Link { home: true, ..Link::new(&[Family::V4], ms(1)) }
}

pub(crate) fn abroad(external: &str, delay: Duration) -> Link {
    let nat = Nat::new(Behaviour::AddressAndPortDependent, Behaviour::AddressAndPortDependent, external);
    Link { nat: Some(nat), ..Link::new(&[Family::V4], delay) }
}

fn dual_stack(delay: Duration) -> Link {
    Link { families: vec![Family::V4, Family::V6], ..abroad("203.0.113.5", delay) }
}

/// A session that has been used for some seconds.
pub(crate) fn session(link: Link, candidates: &[&str]) -> World {
    let mut world = World::new(candidates, 1);
    world.attach(Some(link));
    world.run(ms(2_000));
    assert!(world.echo_within(ms(5_000)).is_some(), "the session works");
    world
}

fn reasons(world: &World) -> Vec<Reason> {
    world.laptop.agent.log().map(|entry| entry.reason).collect()
}

#[test]
fn the_best_path_of_each_network_is_taken_from_lan_to_wan_and_back() {
    let mut world = session(home(), ALL);
    assert_eq!(world.followed().as_deref(), Some(LAN));
    world.attach(Some(abroad("203.0.113.5", ms(20))));
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(40));
    assert_eq!(world.followed().as_deref(), Some(MAPPED));
    world.attach(Some(home()));
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(2));
    assert_eq!(world.followed().as_deref(), Some(LAN));
    assert_eq!(reasons(&world), [Reason::First, Reason::NetworkChanged, Reason::NetworkChanged]);
}

#[test]
fn a_keystroke_behind_another_nat_is_echoed_at_once() {
    let mut world = session(abroad("203.0.113.5", ms(20)), ALL);
    world.attach(Some(abroad("192.0.2.7", ms(40))));
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(80));
    assert_eq!(world.server.peer.unwrap().address.ip().to_string(), "192.0.2.7");
}

#[test]
fn a_session_moves_from_ipv4_only_to_ipv6_only() {
    let mut world = session(abroad("203.0.113.5", ms(20)), ALL);
    world.attach(Some(Link::new(&[Family::V6], ms(30))));
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(60));
    assert_eq!(world.followed().as_deref(), Some(IPV6));
}

#[test]
fn each_nat_behaviour_lets_a_session_through() {
    for mapping in Behaviour::ALL {
        for filtering in Behaviour::ALL {
            let nat = Some(Nat::new(mapping, filtering, "203.0.113.5"));
            let mut world = session(Link { nat, ..abroad("203.0.113.5", ms(20)) }, ALL);
            assert_eq!(world.echo_within(ms(1_000)), Some(ms(50)), "{mapping:?} {filtering:?}");
        }
    }
}

#[test]
fn an_idle_session_outlives_the_expiry_of_its_nat_entry() {
    let mut world = session(abroad("203.0.113.5", ms(20)), ALL);
    world.link().nat.as_mut().unwrap().expiry = ms(2_000);
    world.run(Duration::from_secs(600));
    assert_eq!(world.echo_within(ms(1_000)), Some(ms(50)));
}

#[test]
fn an_idle_session_moves_after_a_nudge_in_one_round_trip() {
    let mut world = session(home(), ALL);
    world.run(Duration::from_secs(60));
    world.attach(Some(abroad("203.0.113.5", ms(20))));
    world.run(ms(5 + 40 + 10));
    assert_eq!(world.followed().as_deref(), Some(MAPPED));
}

#[test]
fn typing_is_echoed_within_a_second_when_the_path_dies_silently() {
    let mut world = session(dual_stack(ms(20)), ALL);
    assert_eq!(world.followed().as_deref(), Some(IPV6));
    world.serves.remove(&address(IPV6));
    assert!(world.echo_within(ms(3_000)).unwrap() <= ms(1_000));
    assert_eq!(world.followed().as_deref(), Some(MAPPED));
    assert_eq!(reasons(&world), [Reason::First, Reason::Silence]);
}

#[test]
fn an_idle_session_leaves_a_dead_path_after_two_heartbeats() {
    let mut world = session(dual_stack(ms(20)), ALL);
    world.serves.remove(&address(IPV6));
    world.run(ms(3_000 + 3_000 + 1_500));
    assert_eq!(world.followed().as_deref(), Some(MAPPED));
}

#[test]
fn a_better_path_that_opens_unannounced_is_found_by_a_probe() {
    let mut world = World::new(ALL, 1);
    world.serves.remove(&address(IPV6));
    world.attach(Some(dual_stack(ms(20))));
    world.run(Duration::from_secs(30));
    assert_eq!(world.followed().as_deref(), Some(MAPPED));
    world.serves.insert(address(IPV6));
    world.run(Duration::from_secs(240 + 10));
    assert_eq!(world.followed().as_deref(), Some(IPV6));
    assert_eq!(reasons(&world), [Reason::First, Reason::Probe]);
}

#[test]
fn a_readdressed_router_of_the_server_is_found_where_the_owner_looks_again() {
    let mut world = session(abroad("203.0.113.5", ms(20)), &[MAPPED]);
    world.serves = [address(MAPPED_AGAIN)].into();
    world.type_key();
    world.run(ms(3_600));
    assert_eq!((world.laptop.alarms, world.echo()), (1, None));
    world.offer(&[MAPPED_AGAIN]);
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(40));
    assert_eq!(world.followed().as_deref(), Some(MAPPED_AGAIN));
}

#[test]
fn a_nat_that_got_stuck_is_escaped_by_new_sockets() {
    let mut world = session(abroad("203.0.113.5", ms(20)), ALL);
    world.stuck_ports = (40_000..=world.port_in_use()).collect();
    world.type_key();
    world.run(ms(4_000));
    assert!(world.echo().unwrap() <= ms(3_600), "{:?}", world.echo());
    world.run(Duration::from_secs(361));
    assert_eq!(world.laptop.sockets(), 2, "old ones are closed");
}

#[test]
fn no_path_at_all_and_then_one_again() {
    let mut world = session(abroad("203.0.113.5", ms(20)), ALL);
    world.attach(None);
    world.type_key();
    world.run(Duration::from_secs(300));
    assert_eq!(world.echo(), None);
    assert!((5..=10).contains(&world.laptop.alarms), "{}", world.laptop.alarms);
    assert!(world.most_sockets <= MAX_SOCKETS);
    world.attach(Some(dual_stack(ms(20))));
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(40));
}

#[test]
fn a_path_that_comes_back_unannounced_is_used_at_the_next_datagram() {
    let mut world = session(abroad("203.0.113.5", ms(20)), &[MAPPED]);
    world.serves.clear();
    world.run(Duration::from_secs(120));
    world.serves.insert(address(MAPPED));
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(40));
}

#[test]
fn after_a_sleep_in_another_network_the_first_keystroke_is_echoed_at_once() {
    let mut world = session(home(), ALL);
    world.sleep(Duration::from_secs(3_600));
    world.slip(Some(abroad("203.0.113.5", ms(20))));
    assert!(world.echo_within(ms(1_000)).unwrap() <= MOVE + ms(40));
    assert_eq!(reasons(&world), [Reason::First, Reason::Woke]);
}

#[test]
fn a_third_of_all_datagrams_lost_delays_but_does_not_stop_a_session() {
    let mut world = session(dual_stack(ms(20)), ALL);
    world.link().loss_percent = 30;
    for _ in 0..200 {
        let echoed = world.echo_within(ms(10_000));
        assert!(echoed.is_some_and(|echo| echo <= ms(6_000)), "{echoed:?}");
    }
    let mut echoes: Vec<_> =
        world.client.keys.iter().filter_map(|key| Some(key.echoed? - key.typed)).collect();
    echoes.sort_unstable();
    assert!(echoes[100] <= ms(300), "{:?}", echoes[100]);
}

#[test]
fn duplicated_and_reordered_replies_change_nothing() {
    let mut world = session(dual_stack(ms(20)), ALL);
    world.link().duplicates = true;
    world.link().jitter = ms(30);
    for _ in 0..300 {
        assert!(world.echo_within(ms(70)).is_some_and(|echo| echo <= ms(50 + 60)) || world.echo().is_none());
    }
    world.run(ms(1_000));
    assert!(world.laptop.agent.counters().stale_replies > 200);
    assert_eq!((world.followed().as_deref(), reasons(&world).len()), (Some(IPV6), 1));
}

#[test]
fn replayed_replies_change_nothing() {
    let mut world = session(dual_stack(ms(20)), ALL);
    let before = (world.followed(), reasons(&world), world.laptop.agent.poll_timeout());
    world.replay_all(MAPPED);
    world.replay_all(LAN);
    assert_eq!((world.followed(), reasons(&world), world.laptop.agent.poll_timeout()), before);
    assert!(world.laptop.agent.counters().stale_replies > 2);
}

#[test]
fn a_quiet_hour_costs_the_probes_and_nothing_else() {
    let mut world = session(abroad("203.0.113.5", ms(20)), &[LAN, MAPPED]);
    let before = world.laptop.agent.counters();
    world.run(Duration::from_secs(3_600));
    let after = world.laptop.agent.counters();
    let extra = (after.copies - before.copies) - (after.datagrams - before.datagrams);
    assert!((30..=3 * 22).contains(&extra), "one better-ranked path, three datagrams each time: {extra}");
    let rest = (after.silences, after.nudges, after.hops, after.moves);
    assert_eq!(rest, (before.silences, before.nudges, before.hops, before.moves));
}
