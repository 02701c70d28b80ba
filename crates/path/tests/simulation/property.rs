//! Whatever happens, a session is reachable soon after there is a path, and the price stays bounded.

use std::time::Duration;

use path::{Family, MAX_SOCKETS};

use crate::link::Link;
use crate::nat::{Behaviour, Nat};
use crate::world::{IPV6, LAN, MAPPED, World, address, ms};

const CANDIDATES: &[&str] = &[LAN, IPV6, MAPPED];
const SEEDS: u64 = 300;
const CHANGES: usize = 30;

/// The kernel tells: a race at once.
const ANNOUNCED: Duration = ms(150);

/// Nobody tells: silence has to be noticed.
const UNANNOUNCED: Duration = ms(900);

/// Several retransmissions in a row may be lost.
const LOSSY: Duration = ms(8_000);

/// A router may take what comes from our sockets for its own, until new ones are opened.
const STUCK: Duration = ms(2_000);

#[derive(Debug, Clone, Copy)]
struct Trouble {
    loss_percent: u64,
    /// The server's router restarts now and then, and remembers nothing.
    restarts: bool,
}

const NONE: Trouble = Trouble { loss_percent: 0, restarts: false };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Announced,
    Silent,
    Slept,
}

#[test]
fn a_session_is_reachable_soon_after_a_usable_path_exists() {
    let reachable: usize = (0..SEEDS).map(|seed| live(seed, NONE)).sum();
    assert!(reachable > 3_000, "the oracle found few paths: {reachable}");
}

#[test]
fn a_session_is_reachable_within_two_seconds_wherever_the_router_has_failed() {
    let trouble = Trouble { restarts: true, ..NONE };
    let reachable: usize = (0..SEEDS / 3).map(|seed| live(seed, trouble)).sum();
    assert!(reachable > 1_000, "the oracle found few paths: {reachable}");
}

#[test]
fn loss_delays_it_but_does_not_prevent_it() {
    (0..SEEDS / 3).for_each(|seed| {
        live(seed, Trouble { loss_percent: 20, ..NONE });
    });
}

#[test]
fn the_same_seed_gives_the_same_session() {
    let story = |seed| {
        let mut world = World::new(CANDIDATES, seed);
        (0..CHANGES).for_each(|_| {
            change(&mut world, Trouble { loss_percent: 10, ..NONE });
            world.type_key();
            world.run(ms(3_000));
        });
        (world.laptop.agent.counters(), world.replies.clone(), world.followed())
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}

/// Returns how often there was a path to be found.
fn live(seed: u64, trouble: Trouble) -> usize {
    let mut world = World::new(CANDIDATES, seed);
    let link = any_link(&mut world, trouble);
    world.attach(Some(link));
    let reachable = (0..CHANGES).filter(|_| {
        if trouble.restarts && world.random(4) == 0 {
            let down = ms(world.random(20_000));
            world.restart_router(down);
        }
        let change = change(&mut world, trouble);
        let bound = bound(change, trouble) + round_trip(&mut world);
        let possible = world.direct_path_possible(CANDIDATES);
        let pause = ms(world.random(2) * world.random(20_000));
        world.run(pause);
        let echoed = typing_is_echoed(&mut world, bound);
        assert!(!possible || echoed, "seed {seed}, {change:?} {pause:?} {bound:?}: {}", world.in_short());
        possible
    });
    let reachable = reachable.count();
    check_price(&world, seed);
    reachable
}

/// Two keys; what looks like an acknowledgement by the time of the first does not by that of the second.
fn typing_is_echoed(world: &mut World, bound: Duration) -> bool {
    let pause = ms(150);
    world.type_key();
    world.run(pause);
    world.type_key();
    world.run(bound - pause);
    world.client.keys.iter().rev().nth(1).is_some_and(|key| key.echoed.is_some())
}

fn check_price(world: &World, seed: u64) {
    let counters = world.laptop.agent.counters();
    let candidates = u64::try_from(CANDIDATES.len()).unwrap();
    let most =
        (candidates + 1) * (counters.datagrams + counters.silences + counters.nudges + 3 * counters.hops);
    assert!(counters.copies <= most, "seed {seed}: {counters:?}");
    assert!(world.most_sockets <= MAX_SOCKETS, "seed {seed}: {}", world.most_sockets);
    let changes = u64::try_from(CHANGES).unwrap() + counters.silences + 1;
    assert!(counters.nudges <= 8 * changes, "seed {seed}: {counters:?}");
}

fn bound(change: Change, trouble: Trouble) -> Duration {
    match change {
        _ if trouble.loss_percent > 0 => LOSSY,
        _ if trouble.restarts => STUCK,
        Change::Announced => ANNOUNCED,
        Change::Silent | Change::Slept => UNANNOUNCED,
    }
}

fn round_trip(world: &mut World) -> Duration {
    if world.attached() { 2 * world.link().delay } else { Duration::ZERO }
}

fn change(world: &mut World, trouble: Trouble) -> Change {
    match world.random(8) {
        0 => world.attach(None),
        1 | 2 => {
            let served = [LAN, IPV6, MAPPED][usize::try_from(world.random(3)).unwrap()];
            if !world.serves.remove(&address(served)) {
                world.serves.insert(address(served));
            }
            return Change::Silent;
        }
        3 => {
            let time = Duration::from_secs(11 + world.random(100_000));
            world.sleep(time);
            return Change::Slept;
        }
        _ => {
            let link = any_link(world, trouble);
            world.attach(Some(link));
        }
    }
    Change::Announced
}

fn any_link(world: &mut World, trouble: Trouble) -> Link {
    let families: &[Family] = match world.random(3) {
        0 => &[Family::V4],
        1 => &[Family::V6],
        _ => &[Family::V4, Family::V6],
    };
    let delay = ms(1 + world.random(100));
    let home = world.random(3) == 0;
    let behaviour = |number: u64| Behaviour::ALL[usize::try_from(number).unwrap()];
    let (mapping, filtering) = (behaviour(world.random(3)), behaviour(world.random(3)));
    let ports = 1_000 * u16::try_from(world.random(60)).unwrap();
    let nat = (!home).then(|| Nat::new(mapping, filtering, "203.0.113.5").giving_from(ports));
    Link { home, nat, loss_percent: trouble.loss_percent, ..Link::new(families, delay) }
}
