//! What becomes of a session over a punched hole: it moves, sleeps, idles, and loses it.

use std::time::Duration;

use path::{Family, Kind};

use crate::carried::time_until;
use crate::link::Link;
use crate::nat::{Behaviour, Nat};
use crate::scenarios::home;
use crate::world::{BEHIND_NAT, LAN, World, ms};

const HOST: &str = "198.51.100.99";
const DELAY: Duration = ms(20);

/// A little more than the network's, for there are programs in between.
const CHANNEL: Duration = ms(22);

/// There and back by the channel, and what mosh-server takes.
const ROUND: Duration = ms(2 * 22 + 10);

/// What a login takes.
const LOGIN: Duration = ms(700);

/// After the channel is there: a round of question and answer, what is tried next, and the answer to that.
const PUNCHED_SOON: Duration = ms(1_000);

/// As most homes have it.
fn port_restricted(external: &str) -> Nat {
    let mut nat = Nat::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent, external);
    nat.keeps_ports = true;
    nat
}

fn network(external: &str) -> Link {
    Link { nat: Some(port_restricted(external)), ..Link::new(&[Family::V4], DELAY) }
}

fn is_punched(world: &World) -> bool {
    world.kind() == Some(Kind::Punched)
}

fn punched_session(candidates: &[&str]) -> World {
    let mut world = World::new(candidates, 1);
    world.host_nat = Some(port_restricted(HOST));
    world.attach(Some(network("203.0.113.5")));
    world.open_puncher(CHANNEL);
    let found = time_until(&mut world, PUNCHED_SOON, is_punched);
    assert!(found.is_some(), "{}", world.in_short());
    world.run(Duration::from_secs(30));
    assert_eq!(world.echo_within(ms(1_000)), Some(2 * DELAY + ms(10)));
    world
}

/// Around the world, by satellite, and that with a queue.
#[test]
fn a_hole_is_found_however_long_the_round_trip_is() {
    for (round_trip, seed) in
        [300, 600, 1_000].into_iter().flat_map(|it| (1..=50).map(move |seed| (it, seed)))
    {
        let mut world = World::new(&[LAN, BEHIND_NAT], seed);
        world.host_nat = Some(port_restricted(HOST));
        let delay = ms(round_trip / 2);
        world.attach(Some(Link { delay, loss_percent: 10, ..network("203.0.113.5") }));
        world.open_puncher(delay + ms(2));
        let found = time_until(&mut world, ms(3_000 + 2 * round_trip), is_punched);
        assert!(found.is_some(), "{round_trip} ms, seed {seed}: {}", world.in_short());
    }
}

/// A login later another channel is there; what was typed meanwhile is echoed by it, and then the session goes directly.
fn goes_on_by_a_login(world: &mut World) {
    world.type_key();
    world.run(LOGIN);
    assert_eq!(world.echo(), None, "no hole leads there");
    world.open_puncher(CHANNEL);
    world.end_channel();
    let echoed = time_until(world, ms(1_000), |world| world.echo().is_some());
    assert!(echoed.is_some_and(|echoed| echoed <= ms(5) + ROUND + ms(10)), "{echoed:?}");
    let found = time_until(world, PUNCHED_SOON, is_punched);
    assert!(found.is_some(), "{}", world.in_short());
    assert!(world.echo_within(ms(1_000)).is_some_and(|echo| echo <= 2 * DELAY + ms(10)));
}

#[test]
fn a_session_that_moves_is_echoed_by_a_channel_and_then_goes_directly_again() {
    let mut world = punched_session(&[LAN, BEHIND_NAT]);
    for external in ["192.0.2.7", "192.0.2.200", "203.0.113.77"] {
        world.attach(Some(network(external)));
        goes_on_by_a_login(&mut world);
        world.run(Duration::from_secs(40));
    }
}

#[test]
fn so_it_does_after_a_sleep_of_three_hours() {
    let mut world = punched_session(&[LAN, BEHIND_NAT]);
    world.sleep(Duration::from_secs(3 * 3_600));
    world.channels.up().for_each(|channel| channel.stuck = true);
    goes_on_by_a_login(&mut world);
}

#[test]
fn so_it_does_when_it_wakes_up_elsewhere() {
    let mut world = punched_session(&[LAN, BEHIND_NAT]);
    world.sleep(Duration::from_secs(3 * 3_600));
    world.slip(Some(network("192.0.2.7")));
    goes_on_by_a_login(&mut world);
}

/// Nothing for the hole, nothing for a round, and no better address is known.
#[test]
fn an_hour_over_a_hole_costs_not_one_datagram_more_than_moshs_own() {
    let mut world = punched_session(&[BEHIND_NAT]);
    let price = |world: &World| (world.primes, world.openers, world.rounds);
    let (before, counters) = (price(&world), world.laptop.agent.counters());
    world.run(Duration::from_secs(3_600));
    let after = world.laptop.agent.counters();
    assert_eq!(after.copies - counters.copies, after.datagrams - counters.datagrams);
    assert_eq!((price(&world), after.nudges), (before, counters.nudges));
    assert_eq!(world.echo_within(ms(1_000)), Some(2 * DELAY + ms(10)));
}

#[test]
fn an_address_that_ranks_before_it_costs_the_probes_that_it_always_costs() {
    let mut world = punched_session(&[LAN, BEHIND_NAT]);
    let counters = world.laptop.agent.counters();
    world.run(Duration::from_secs(3_600));
    let after = world.laptop.agent.counters();
    let extra = (after.copies - counters.copies) - (after.datagrams - counters.datagrams);
    assert!((30..=3 * 22).contains(&extra), "{extra}");
}

#[test]
fn the_sockets_of_rounds_are_closed() {
    let mut world = punched_session(&[BEHIND_NAT]);
    world.run(Duration::from_secs(600));
    assert_eq!(world.laptop.sockets(), 3, "one a family, and the hole's");
    world.host_nat = None;
    world.offer(&[LAN]);
    world.attach(Some(home()));
    assert!(world.echo_within(ms(1_000)).is_some());
    assert_eq!(world.followed().as_deref(), Some(LAN));
    world.run(Duration::from_secs(600));
    assert_eq!(world.laptop.sockets(), 2, "a hole that is not in use is forgotten");
}

/// A router that lets nothing by a port any more a minute after the first.
#[test]
fn a_hole_that_dies_every_minute_is_left_alone_more_and_more() {
    let mut world = punched_session(&[BEHIND_NAT]);
    let mut falls_by_quarter = [0; 8];
    let begin = world.now;
    while world.now < begin + Duration::from_secs(7_200) {
        if is_punched(&world) {
            world.run(Duration::from_secs(60));
            let port = world.port_in_use();
            world.stuck_ports.insert(port);
            world.deaf_ports.insert(port);
            let echo = world.echo_within(ms(5_000));
            assert!(echo.is_some_and(|echo| echo <= ms(1_500)), "{echo:?}");
            falls_by_quarter[usize::try_from((world.now - begin).as_secs() / 900).unwrap().min(7)] += 1;
        }
        world.run(ms(500));
    }
    assert!((3..=6).contains(&falls_by_quarter[0]), "{falls_by_quarter:?}");
    assert!(falls_by_quarter[2..].iter().all(|falls| (1..=2).contains(falls)), "{falls_by_quarter:?}");
    world.attach(Some(network("192.0.2.7")));
    goes_on_by_a_login(&mut world);
}

/// Of a host that answers to no opener: the laptop's side costs what the rounds are.
#[test]
fn rounds_that_come_to_nothing_become_rare() {
    let mut world = World::new(&[BEHIND_NAT], 1);
    world.host_nat =
        Some(Nat::new(Behaviour::AddressAndPortDependent, Behaviour::AddressAndPortDependent, HOST));
    world.attach(Some(network("203.0.113.5")));
    world.open_puncher(CHANNEL);
    let mut rounds = Vec::new();
    for minutes in [1, 3, 14, 45, 110, 170] {
        world.run(Duration::from_secs(60 * minutes) - world.since_start());
        rounds.push(world.rounds);
    }
    // In two orders each.
    assert_eq!(rounds, [4, 6, 8, 10, 14, 18]);
    assert_eq!((world.primes, world.openers), (9, 54));
    assert_eq!(world.mappings, 9, "once in each series, and its router maps nothing");
    assert!(world.echo_within(ms(1_000)).is_some());
    world.attach(Some(network("192.0.2.7")));
    world.open_puncher(CHANNEL);
    world.run(Duration::from_secs(40));
    assert_eq!(world.rounds, 22, "a change begins anew");
}
