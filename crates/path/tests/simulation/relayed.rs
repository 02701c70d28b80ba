//! Where no hole can be punched, and the user has named a relay.

use std::time::Duration;

use path::relay::SPARE_SPAN;
use path::{Family, Kind};

use crate::carried::time_until;
use crate::link::Link;
use crate::nat::{Behaviour, Nat};
use crate::relay::Relay;
use crate::world::{BEHIND_NAT, LAN, World, ms};

const HOST: &str = "198.51.100.99";
const DELAY: Duration = ms(25);
const CHANNEL: Duration = ms(27);

/// What a login takes.
const LOGIN: Duration = ms(700);

/// By the network and the channel, in turn, after the round has begun; and what the programs in between take.
const FOUND: Duration = ms(2_500 + 6 * 2 * 27);

fn symmetric(external: &str) -> Nat {
    Nat::new(Behaviour::AddressAndPortDependent, Behaviour::AddressAndPortDependent, external)
}

fn port_restricted(external: &str) -> Nat {
    let mut nat = Nat::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent, external);
    nat.keeps_ports = true;
    nat
}

fn network(nat: Nat) -> Link {
    Link { nat: Some(nat), ..Link::new(&[Family::V4], DELAY) }
}

fn beginning(laptop: Nat, host: Nat, relay: Option<Relay>, loss_percent: u64, seed: u64) -> World {
    knowing(&[LAN, BEHIND_NAT], laptop, host, relay, loss_percent, seed)
}

/// As far as the laptop knows where the host is.
fn knowing(
    known: &[&str],
    laptop: Nat,
    host: Nat,
    relay: Option<Relay>,
    loss_percent: u64,
    seed: u64,
) -> World {
    let mut world = World::new(known, seed);
    world.host_nat = Some(host);
    relay.into_iter().for_each(|relay| world.offer_relay(relay));
    world.attach(Some(Link { loss_percent, ..network(laptop) }));
    world.open_puncher(CHANNEL);
    world
}

fn relayed_session() -> World {
    let nats = (symmetric("203.0.113.5"), symmetric(HOST));
    let mut world = beginning(nats.0, nats.1, Some(Relay::new()), 0, 1);
    assert!(time_until(&mut world, FOUND, is_relayed).is_some(), "{}", world.in_short());
    world.run(Duration::from_secs(30));
    assert!(is_relayed(&world), "{}", world.in_short());
    world
}

fn is_relayed(world: &World) -> bool {
    world.kind() == Some(Kind::Relayed)
}

fn asked(world: &World) -> u64 {
    world.relay.as_ref().unwrap().asked
}

fn given(world: &World) -> usize {
    world.relay.as_ref().unwrap().given()
}

fn pairs() -> [(Nat, Nat); 3] {
    [
        (symmetric("203.0.113.5"), symmetric(HOST)),
        (symmetric("203.0.113.5"), port_restricted(HOST)),
        (port_restricted("203.0.113.5"), symmetric(HOST)),
    ]
}

#[test]
fn what_cannot_be_punched_goes_by_the_relay() {
    for (seed, (laptop, host)) in (1..=20).flat_map(|seed| pairs().map(|pair| (seed, pair))) {
        let mut world = beginning(laptop, host, Some(Relay::new()), 0, seed);
        let found = time_until(&mut world, FOUND, is_relayed);
        assert!(found.is_some(), "seed {seed}: {}", world.in_short());
        assert_eq!(asked(&world), 1);
        let echo = world.echo_within(ms(1_000));
        assert_eq!(echo, Some(2 * (DELAY + ms(10)) + ms(10)), "seed {seed}");
    }
}

/// What is learnt begins another round, which the relay is not to wait for.
#[test]
fn so_does_what_leads_to_an_address_that_the_host_alone_knows_of() {
    for (seed, (laptop, host)) in (1..=20).flat_map(|seed| pairs().map(|pair| (seed, pair))) {
        let mut world = knowing(&[LAN], laptop, host, Some(Relay::new()), 0, seed);
        let found = time_until(&mut world, FOUND, is_relayed);
        assert!(found.is_some(), "seed {seed}: {}", world.in_short());
    }
}

#[test]
fn so_it_does_where_some_are_lost() {
    for (loss, seed) in [10, 30].into_iter().flat_map(|loss| (1..=20).map(move |seed| (loss, seed))) {
        for (laptop, host) in pairs() {
            let mut world = beginning(laptop, host, Some(Relay::new()), loss, seed);
            let found = time_until(&mut world, ms(60_000), is_relayed);
            assert!(found.is_some(), "{loss} %, seed {seed}: {}", world.in_short());
        }
    }
}

#[test]
fn without_a_relay_it_is_carried() {
    for (laptop, host) in pairs() {
        let mut world = beginning(laptop, host, None, 0, 1);
        world.run(ms(60_000));
        assert_eq!(world.kind(), Some(Kind::Carried));
    }
}

#[test]
fn what_can_be_punched_asks_no_relay() {
    for seed in 1..=20 {
        let nats = (port_restricted("203.0.113.5"), port_restricted(HOST));
        let mut world = beginning(nats.0, nats.1, Some(Relay::new()), 0, seed);
        world.run(Duration::from_secs(600));
        assert_eq!((world.kind(), asked(&world)), (Some(Kind::Punched), 0), "seed {seed}");
    }
}

/// One that is known after all, and one that is punched.
#[test]
fn a_session_leaves_the_relay_for_a_direct_way_which_is_given_back_a_minute_later() {
    let mut world = relayed_session();
    let sockets = world.laptop.sockets();
    world.host_nat = Some(port_restricted(HOST));
    world.attach(Some(network(port_restricted("203.0.113.6"))));
    world.run(LOGIN);
    world.open_puncher(CHANNEL);
    world.end_channel();
    let is_punched = |world: &World| world.kind() == Some(Kind::Punched);
    assert!(time_until(&mut world, ms(5_000), is_punched).is_some(), "{}", world.in_short());
    world.run(2 * SPARE_SPAN);
    assert!(is_punched(&world));
    world.run(Duration::from_secs(600));
    assert!(world.laptop.sockets() <= sockets, "{}", world.laptop.sockets());
    assert_eq!((asked(&world), given(&world)), (2, 0));
}

#[test]
fn while_it_is_relayed_rounds_go_on_and_find_a_hole() {
    let mut world = relayed_session();
    world.run(Duration::from_secs(300));
    assert!(is_relayed(&world), "{}", world.in_short());
    let rounds = world.rounds;
    world.run(Duration::from_secs(3_600));
    assert!((4..=24).contains(&(world.rounds - rounds)), "{}", world.rounds - rounds);
    // From now on our router lets in everybody, and nobody tells.
    let open = Behaviour::EndpointIndependent;
    let mut nat = Nat::new(open, open, "203.0.113.5");
    nat.keeps_ports = true;
    world.link().nat = Some(nat);
    let is_punched = |world: &World| world.kind() == Some(Kind::Punched);
    assert!(time_until(&mut world, Duration::from_secs(1_900), is_punched).is_some(), "{}", world.in_short());
    assert_eq!(world.echo_within(ms(1_000)), Some(2 * DELAY + ms(10)));
    assert_eq!(given(&world), 1);
    world.run(SPARE_SPAN);
    assert_eq!(given(&world), 0, "it is given back");
    assert_eq!((world.laptop.agent.counters().silences, asked(&world)), (0, 1));
}

#[test]
fn in_another_network_another_allocation_is_asked_for_beside_the_login() {
    let mut world = relayed_session();
    for number in 7..10 {
        let before = asked(&world);
        world.attach(Some(network(symmetric(&format!("203.0.113.{number}")))));
        world.type_key();
        world.run(LOGIN);
        assert_eq!(asked(&world), before + 1, "no login is waited for");
        world.open_puncher(CHANNEL);
        world.end_channel();
        let found = time_until(&mut world, ms(1_500) + 3 * 2 * CHANNEL, is_relayed);
        assert!(found.is_some(), "{}", world.in_short());
        world.run(Duration::from_secs(100));
        assert!(world.echo().is_some_and(|echo| echo <= LOGIN + ms(200)), "{:?}", world.echo());
        assert!(is_relayed(&world));
        assert_eq!(asked(&world), before + 1);
    }
    world.run(Duration::from_secs(700));
    assert_eq!(given(&world), 1, "those of the networks before are forgotten");
}

#[test]
fn so_it_is_after_a_sleep() {
    let mut world = relayed_session();
    world.sleep(Duration::from_secs(3 * 3_600));
    world.channels.up().for_each(|channel| channel.stuck = true);
    world.relay.as_mut().unwrap().lose();
    world.type_key();
    world.run(LOGIN);
    world.open_puncher(CHANNEL);
    world.end_channel();
    assert!(time_until(&mut world, ms(2_000), is_relayed).is_some(), "{}", world.in_short());
    world.run(ms(500));
    assert!(world.echo().is_some_and(|echo| echo <= LOGIN + ms(200)), "{:?}", world.echo());
}

#[test]
fn a_change_that_changes_nothing_costs_no_other_allocation() {
    let mut world = relayed_session();
    let bindings = [Family::V6, Family::V4].map(path::Binding::any);
    for _ in 0..5 {
        world.laptop.agent.handle_network(&bindings, world.now);
        assert!(world.echo_within(ms(1_000)).is_some_and(|echo| echo <= ms(100)));
        assert!(is_relayed(&world));
    }
    assert_eq!(asked(&world), 1);
}

#[test]
fn a_session_whose_relay_is_lost_is_carried_and_then_relayed_again() {
    let mut world = relayed_session();
    world.lose_relay();
    let echo = world.echo_within(ms(5_000));
    assert!(echo.is_some_and(|echo| echo <= ms(600)), "{echo:?}");
    assert_eq!(world.kind(), Some(Kind::Carried));
    world.relay.as_mut().unwrap().up = true;
    assert!(time_until(&mut world, Duration::from_secs(700), is_relayed).is_some(), "{}", world.in_short());
}

#[test]
fn one_that_dies_unnoticed_is_left_for_the_channel_within_a_second_and_a_half() {
    let mut world = relayed_session();
    world.relay.as_mut().unwrap().up = false;
    let echo = world.echo_within(ms(5_000));
    assert!(echo.is_some_and(|echo| echo <= ms(1_500)), "{echo:?}");
    assert_eq!(world.kind(), Some(Kind::Carried));
}

#[test]
fn a_relay_that_refuses_is_asked_ever_more_rarely() {
    let nats = (symmetric("203.0.113.5"), symmetric(HOST));
    let mut world = beginning(nats.0, nats.1, Some(Relay::that_refuses()), 0, 1);
    let mut times = Vec::new();
    for minutes in [1, 3, 14, 45, 110, 170] {
        world.run(Duration::from_secs(60 * minutes) - world.since_start());
        times.push(asked(&world));
    }
    assert_eq!(times, [2, 3, 4, 5, 7, 9]);
    assert_eq!(world.kind(), Some(Kind::Carried));
    assert!(world.echo_within(ms(1_000)).is_some());
}

/// Beside the rounds for a hole.
#[test]
fn an_hour_by_a_relay_costs_few_datagrams_more_than_moshs_own() {
    let mut world = relayed_session();
    world.run(Duration::from_secs(600));
    let counters = world.laptop.agent.counters();
    world.run(Duration::from_secs(3_600));
    let after = world.laptop.agent.counters();
    let extra = (after.copies - counters.copies) - (after.datagrams - counters.datagrams);
    assert!(extra <= 400, "{extra}");
    assert_eq!(world.echo_within(ms(1_000)), Some(2 * (DELAY + ms(10)) + ms(10)));
}
