//! Whatever happens to networks, holes and channels, what is typed is echoed soon, and rounds stay few and small.

use std::time::Duration;

use path::{Family, Kind, MAX_SOCKETS};

use crate::link::Link;
use crate::nat::{Behaviour, Nat};
use crate::relay::Relay;
use crate::world::{BEHIND_NAT, LAN, World, ms};

const SEEDS: u64 = 60;
const CHANGES: usize = 30;

/// As [`carried_property`](crate::carried_property) has it.
const BOUND: Duration = ms(1_200);

/// Another channel takes a login.
const LOGIN: Duration = ms(700);

#[test]
fn what_is_typed_is_echoed_soon_whatever_becomes_of_holes() {
    let mut by_kind = [0, 0];
    for seed in 0..SEEDS {
        let [punched, carried, _] = live(seed, None);
        by_kind = [by_kind[0] + punched, by_kind[1] + carried];
    }
    assert!(by_kind.iter().all(|&times| times > 200), "few ways of one kind: {by_kind:?}");
}

#[test]
fn so_it_is_whatever_becomes_of_a_relay() {
    let mut by_kind = [0; 3];
    for seed in 0..SEEDS {
        let times = live(seed, Some(Relay::new()));
        (0..3).for_each(|kind| by_kind[kind] += times[kind]);
    }
    assert!(by_kind.iter().all(|&times| times > 120), "few ways of one kind: {by_kind:?}");
}

/// How often the session went through a hole after a change, how often over a channel, and how often by a relay.
fn live(seed: u64, relay: Option<Relay>) -> [usize; 3] {
    let mut world = World::new(&[LAN, BEHIND_NAT], seed);
    let host = any_nat(&mut world, "198.51.100.99");
    world.host_nat = Some(host);
    relay.into_iter().for_each(|relay| world.offer_relay(relay));
    let link = any_link(&mut world);
    world.attach(Some(link));
    world.open_puncher(ms(30));
    let mut times = [0; 3];
    for _ in 0..CHANGES {
        let what = change(&mut world);
        world.run(LOGIN);
        if world.channels.working().next().is_none() {
            let delay = ms(5 + world.random(60));
            world.open_puncher(delay);
            world.end_channel();
        }
        let pause = ms(world.random(3) * world.random(40_000));
        world.run(pause);
        let echoed = typing_is_echoed(&mut world);
        assert!(echoed, "seed {seed}, {what} {pause:?}: {}", world.in_short());
        for (kind, times) in [Kind::Punched, Kind::Carried, Kind::Relayed].into_iter().zip(&mut times) {
            *times += usize::from(world.kind() == Some(kind));
        }
        let standing = world.laptop.agent.standing();
        assert_eq!(standing.direct_since, None, "seed {seed}, {what}: {}", world.in_short());
    }
    check_price(&world, seed);
    times
}

fn check_price(world: &World, seed: u64) {
    assert!(world.most_sockets <= MAX_SOCKETS, "seed {seed}: {}", world.most_sockets);
    assert!(world.primes <= 2 * world.rounds && world.openers <= 3 * world.rounds, "seed {seed}");
    let changes = u64::try_from(CHANGES).unwrap() + 1;
    let of_relay = if world.relay.is_some() { changes } else { 0 };
    let most = of_relay + 4 * changes + world.since_start().as_secs() / 1_800;
    assert!(world.rounds <= most, "seed {seed}: {} rounds", world.rounds);
}

/// Two keys; what looks like an acknowledgement by the time of the first does not by that of the second.
fn typing_is_echoed(world: &mut World) -> bool {
    let pause = ms(150);
    world.type_key();
    world.run(pause);
    world.type_key();
    world.run(BOUND - pause);
    world.client.keys.iter().rev().nth(1).is_some_and(|key| key.echoed.is_some())
}

fn change(world: &mut World) -> &'static str {
    let kinds = if world.relay.is_some() { 8 } else { 6 };
    match world.random(kinds) {
        6 => {
            world.lose_relay();
            "a relay is lost"
        }
        7 => {
            let relay = world.relay.as_mut().unwrap();
            relay.up = !relay.up;
            "a relay dies, or is back"
        }
        0 | 1 => {
            let link = any_link(world);
            world.attach(Some(link));
            "a network"
        }
        2 => {
            let link = any_link(world);
            world.slip(Some(link));
            "a network that nobody told of"
        }
        3 => {
            if world.kind() == Some(Kind::Punched) {
                let port = world.port_in_use();
                world.stuck_ports.insert(port);
                world.deaf_ports.insert(port);
            }
            "a hole dies"
        }
        4 => {
            let time = Duration::from_secs(11 + world.random(100_000));
            world.sleep(time);
            world.channels.up().for_each(|channel| channel.stuck = true);
            "sleep"
        }
        _ => {
            world.channels.up().for_each(|channel| channel.stuck = true);
            "a channel is stuck"
        }
    }
}

fn any_link(world: &mut World) -> Link {
    let number = world.random(200);
    let nat = any_nat(world, &format!("203.0.113.{}", 1 + number));
    let delay = ms(1 + world.random(60));
    Link { nat: Some(nat), ..Link::new(&[Family::V4], delay) }
}

fn any_nat(world: &mut World, external: &str) -> Nat {
    let mut behaviour = |most: u64| Behaviour::ALL[usize::try_from(world.random(most)).unwrap()];
    let (mapping, filtering) = (behaviour(2), behaviour(3));
    let mut nat = Nat::new(mapping, filtering, external);
    nat.keeps_ports = mapping == Behaviour::EndpointIndependent;
    nat.keeps_early = world.random(2) == 0;
    nat
}
