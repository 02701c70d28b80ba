//! Through NATs on both sides, of which the host's maps nothing.

use std::time::Duration;

use path::{Family, Kind};

use crate::carried::time_until;
use crate::link::Link;
use crate::nat::{Behaviour, Nat};
use crate::world::{BEHIND_NAT, LAN, World, ms};

const LAPTOP: &str = "203.0.113.5";
const HOST: &str = "198.51.100.99";

/// Two rounds.
const FOUND: Duration = ms(40_000);

/// Two series of rounds, each in both orders and with a mapping.
const FOUND_BY_A_MAPPING: Duration = ms(60_000);

const SEEDS: u64 = 100;

/// The laptop's NAT in rows and the host's in columns: how each maps, and what it filters by, nothing (I, endpoint-independent),
/// the address (A), or address and port (P). What maps by anything gives each address another port: it is symmetric, and
/// whatever it filters by does not matter, for nobody knows its port to send to.
#[rustfmt::skip]
const TABLE: [(&str, [(&str, bool); 9]); 9] = {
    const Y: bool = true;
    const N: bool = false;
    [
        ("II", [("II", Y), ("IA", Y), ("IP", Y), ("AI", Y), ("AA", Y), ("AP", Y), ("PI", Y), ("PA", Y), ("PP", Y)]),
        ("IA", [("II", Y), ("IA", Y), ("IP", Y), ("AI", Y), ("AA", Y), ("AP", Y), ("PI", Y), ("PA", Y), ("PP", Y)]),
        ("IP", [("II", Y), ("IA", Y), ("IP", Y), ("AI", N), ("AA", N), ("AP", N), ("PI", N), ("PA", N), ("PP", N)]),
        ("AI", [("II", Y), ("IA", Y), ("IP", N), ("AI", N), ("AA", N), ("AP", N), ("PI", N), ("PA", N), ("PP", N)]),
        ("AA", [("II", Y), ("IA", Y), ("IP", N), ("AI", N), ("AA", N), ("AP", N), ("PI", N), ("PA", N), ("PP", N)]),
        ("AP", [("II", Y), ("IA", Y), ("IP", N), ("AI", N), ("AA", N), ("AP", N), ("PI", N), ("PA", N), ("PP", N)]),
        ("PI", [("II", Y), ("IA", Y), ("IP", N), ("AI", N), ("AA", N), ("AP", N), ("PI", N), ("PA", N), ("PP", N)]),
        ("PA", [("II", Y), ("IA", Y), ("IP", N), ("AI", N), ("AA", N), ("AP", N), ("PI", N), ("PA", N), ("PP", N)]),
        ("PP", [("II", Y), ("IA", Y), ("IP", N), ("AI", N), ("AA", N), ("AP", N), ("PI", N), ("PA", N), ("PP", N)]),
    ]
};

/// What reaches the laptop first: the host's openers, or the word by the channel that they are under way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum First {
    Openers,
    Word,
}

/// Whose router keeps what comes too early.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Keeps {
    laptop: bool,
    host: bool,
}

fn nat(behaviours: &str, external: &str, ports: u64, keeps_early: bool) -> Nat {
    let [mapping, filtering] = [0, 1].map(|at| match &behaviours[at..=at] {
        "I" => Behaviour::EndpointIndependent,
        "A" => Behaviour::AddressDependent,
        _ => Behaviour::AddressAndPortDependent,
    });
    let keeps_ports = mapping == Behaviour::EndpointIndependent;
    let ports = 5_000 + u16::try_from(ports % 30).unwrap() * 1_000;
    let mut nat = Nat::new(mapping, filtering, external).giving_from(ports);
    (nat.keeps_ports, nat.keeps_early) = (keeps_ports, keeps_early);
    nat
}

/// A session that begins. Its network is nearer or farther, by the seed.
fn beginning(laptop: Nat, host: Nat, first: First, loss_percent: u64, seed: u64) -> World {
    knowing(&[LAN, BEHIND_NAT], laptop, host, first, loss_percent, seed)
}

/// As far as the laptop knows where the host is.
fn knowing(known: &[&str], laptop: Nat, host: Nat, first: First, loss_percent: u64, seed: u64) -> World {
    let mut world = World::new(known, seed);
    let delay = ms(25 + world.random(60));
    world.host_nat = Some(host);
    world.attach(Some(Link { nat: Some(laptop), loss_percent, ..Link::new(&[Family::V4], delay) }));
    world.open_puncher(match first {
        First::Openers => delay + ms(20),
        First::Word => delay - ms(20),
    });
    world
}

fn is_by_udp(world: &World) -> bool {
    world.kind().is_some_and(|kind| kind != Kind::Carried)
}

fn was_ever_by_udp(world: &World) -> bool {
    world.laptop.agent.log().any(|entry| entry.kind != Kind::Carried)
}

/// How many sessions are not as the table has it.
fn misses(laptop: &str, host: &str, goes: bool, first: First, keeps: Keeps, loss_percent: u64) -> usize {
    let is_a_miss = |&seed: &u64| {
        let laptop = nat(laptop, LAPTOP, seed, keeps.laptop);
        let host = nat(host, HOST, seed / 7, keeps.host);
        let mut world = beginning(laptop, host, first, loss_percent, seed);
        if goes {
            return time_until(&mut world, FOUND, is_by_udp).is_none() || world.kind() != Some(Kind::Punched);
        }
        world.run(FOUND);
        was_ever_by_udp(&world) || world.laptop.agent.standing().carried_since.is_none()
    };
    // What keeps too much lets no more through.
    let seeds = if goes || keeps == NEITHER { SEEDS } else { SEEDS / 5 };
    (1..=seeds).filter(is_a_miss).count()
}

fn pairs_are_as_told(keeps: Keeps, loss_percent: u64) {
    for first in [First::Openers, First::Word] {
        for (laptop, row) in TABLE {
            for (host, goes) in row {
                let misses = misses(laptop, host, goes, first, keeps, loss_percent);
                let pair = format!("{laptop} and {host}, {first:?} first, {keeps:?}, {loss_percent} % lost");
                assert!(misses <= usize::from(goes), "{pair}: goes directly: {goes}, but {misses} times");
            }
        }
    }
}

const NEITHER: Keeps = Keeps { laptop: false, host: false };
const LAPTOPS: Keeps = Keeps { laptop: true, host: false };
const HOSTS: Keeps = Keeps { laptop: false, host: true };
const BOTH: Keeps = Keeps { laptop: true, host: true };

/// How many sessions, behind a router that maps ports, either do not go directly though none goes without a mapping; or ask for
/// one though they go without.
fn misses_where_ports_are_mapped(
    laptop: &str,
    host: &str,
    goes: bool,
    first: First,
    keeps: Keeps,
    loss_percent: u64,
) -> usize {
    let is_a_miss = |&seed: &u64| {
        let laptop = nat(laptop, LAPTOP, seed, keeps.laptop).that_maps();
        let host = nat(host, HOST, seed / 7, keeps.host);
        let mut world = beginning(laptop, host, first, loss_percent, seed);
        let found = time_until(&mut world, FOUND_BY_A_MAPPING, is_by_udp);
        found.is_none() || (world.mappings > 0) == goes
    };
    (1..=SEEDS / 5).filter(is_a_miss).count()
}

fn a_router_that_maps_serves_where_nothing_else_does(keeps: Keeps, loss_percent: u64) {
    for first in [First::Openers, First::Word] {
        for (laptop, row) in TABLE {
            // What is lost may look like what never came.
            for (host, goes) in row.into_iter().filter(|(_, goes)| !goes || loss_percent == 0) {
                let misses = misses_where_ports_are_mapped(laptop, host, goes, first, keeps, loss_percent);
                let pair = format!("{laptop} and {host}, {first:?} first, {keeps:?}, {loss_percent} % lost");
                assert!(misses <= usize::from(loss_percent > 0), "{pair}: {misses} times");
            }
        }
    }
}

#[test]
fn behind_a_router_that_maps_every_pair_goes_and_none_asks_that_goes_without() {
    [NEITHER, LAPTOPS, HOSTS, BOTH]
        .into_iter()
        .for_each(|keeps| a_router_that_maps_serves_where_nothing_else_does(keeps, 0));
}

#[test]
fn so_it_does_where_some_are_lost() {
    [10, 30]
        .into_iter()
        .for_each(|loss_percent| a_router_that_maps_serves_where_nothing_else_does(NEITHER, loss_percent));
}

/// A laptop whose NAT gives each address another port, and a home's as most are: after two rounds that fail, of three seconds
/// each, the third needs what any does.
#[test]
fn a_mapping_is_tried_as_soon_as_both_orders_have_failed() {
    for seed in 1..20 {
        let nats = (nat("PP", LAPTOP, seed, true).that_maps(), nat("IP", HOST, seed, true));
        let mut world = beginning(nats.0, nats.1, First::Word, 0, seed);
        let bound = 2 * ms(3_000) + ms(1_000) + 3 * 3 * 2 * world.link().delay;
        let found = time_until(&mut world, FOUND, is_by_udp);
        assert!(found.is_some_and(|found| found <= bound), "{found:?} of {bound:?}");
        assert_eq!((world.mappings, world.kind()), (1, Some(Kind::Punched)));
        world.run(Duration::from_secs(600));
        assert_eq!((world.mappings, world.kind()), (1, Some(Kind::Punched)));
    }
}

#[test]
fn each_pair_of_nats_is_as_the_table_has_it() {
    pairs_are_as_told(NEITHER, 0);
}

#[test]
fn so_it_is_where_one_in_ten_is_lost() {
    pairs_are_as_told(NEITHER, 10);
}

#[test]
fn so_it_is_where_three_in_ten_are_lost() {
    pairs_are_as_told(NEITHER, 30);
}

#[test]
fn so_it_is_where_the_laptops_router_keeps_what_is_early() {
    [0, 10, 30].into_iter().for_each(|loss_percent| pairs_are_as_told(LAPTOPS, loss_percent));
}

#[test]
fn so_it_is_where_the_hosts_router_keeps_what_is_early() {
    [0, 10, 30].into_iter().for_each(|loss_percent| pairs_are_as_told(HOSTS, loss_percent));
}

#[test]
fn so_it_is_where_both_routers_keep_what_is_early() {
    [0, 10, 30].into_iter().for_each(|loss_percent| pairs_are_as_told(BOTH, loss_percent));
}

#[test]
fn a_hole_is_found_within_a_second_and_three_round_trips() {
    for (first, seed) in
        [First::Openers, First::Word].into_iter().flat_map(|first| (1..20).map(move |seed| (first, seed)))
    {
        for (laptop, host) in [("IP", "IP"), ("PP", "II"), ("II", "PP")] {
            let nats = (nat(laptop, LAPTOP, seed, true), nat(host, HOST, seed, true));
            let mut world = beginning(nats.0, nats.1, first, 0, seed);
            let bound = ms(1_000) + 3 * 2 * world.link().delay;
            let found = time_until(&mut world, FOUND, is_by_udp);
            assert!(
                found.is_some_and(|found| found <= bound),
                "{laptop} and {host}, {first:?}: {found:?} of {bound:?}"
            );
        }
    }
}

/// What is to die behind the laptop's router reaches the host's, which gives what it keeps another port for as long as it
/// remembers.
#[test]
fn next_to_a_router_that_keeps_what_is_early_a_hole_is_found_once_it_has_forgotten() {
    for (first, seed) in
        [First::Openers, First::Word].into_iter().flat_map(|first| (1..20).map(move |seed| (first, seed)))
    {
        let nats = (nat("IP", LAPTOP, seed, false), nat("IP", HOST, seed, true));
        let mut world = beginning(nats.0, nats.1, first, 0, seed);
        world.next_door = true;
        let found = time_until(&mut world, FOUND, is_by_udp);
        assert!(found.is_some_and(|found| found > ms(30_000)), "{first:?}, {seed}: {found:?}");
    }
}

/// A router that keeps what is early has kept the host's openers by the time that the host has said where they come from.
#[test]
fn an_address_that_the_host_alone_knows_of_is_reached_in_the_second_round() {
    for (first, seed) in
        [First::Openers, First::Word].into_iter().flat_map(|first| (1..=SEEDS).map(move |seed| (first, seed)))
    {
        let nats = (nat("IP", LAPTOP, seed, true), nat("IP", HOST, seed / 7, false));
        let mut world = knowing(&[LAN], nats.0, nats.1, first, 0, seed);
        let found = time_until(&mut world, FOUND, is_by_udp);
        assert!(found.is_some_and(|found| found < ms(3_500)), "{first:?} first, seed {seed}: {found:?}");
    }
}
