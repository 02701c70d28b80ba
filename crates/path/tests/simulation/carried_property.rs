//! Whatever happens to UDP and to channels, what is typed is echoed soon if any way leads there and back.

use std::time::Duration;

use path::{Kind, MAX_SOCKETS};

use crate::scenarios::{abroad, home};
use crate::world::{IPV6, LAN, MAPPED, Udp, World, address, ms};

const CANDIDATES: &[&str] = &[LAN, IPV6, MAPPED];
const SEEDS: u64 = 60;
const CHANGES: usize = 30;

/// A silence is noticed, the copy that cannot move the server is given up, and the other's turn comes.
const BOUND: Duration = ms(1_200);

#[test]
fn what_is_typed_is_echoed_soon_whichever_way_there_is() {
    let mut by_kind = [0, 0];
    for seed in 0..SEEDS {
        let (direct, carried) = live(seed);
        by_kind = [by_kind[0] + direct, by_kind[1] + carried];
    }
    assert!(by_kind.iter().all(|&times| times > 200), "the oracle found few ways: {by_kind:?}");
}

/// How often there was a direct way, and how often there was none but a channel.
fn live(seed: u64) -> (usize, usize) {
    let mut world = World::new(CANDIDATES, seed);
    world.attach(Some(abroad("203.0.113.5", ms(20))));
    world.open_channel(ms(25));
    world.run(ms(1_000));
    let (mut direct, mut carried) = (0, 0);
    for _ in 0..CHANGES {
        let what = change(&mut world);
        let pause = ms(world.random(2) * world.random(90_000));
        world.run(pause);
        let (by_udp, by_channel) =
            (world.direct_path_possible(CANDIDATES), world.channels.working().next().is_some());
        direct += usize::from(by_udp);
        carried += usize::from(by_channel && !by_udp);
        let echoed = typing_is_echoed(&mut world);
        let possible = by_udp || by_channel;
        assert!(!possible || echoed, "seed {seed}, {what} {pause:?}: {}", world.in_short());
        if by_udp {
            world.run(ms(70_000));
            assert_ne!(world.kind(), Some(Kind::Carried), "seed {seed}, {what}: {}", world.in_short());
        }
    }
    assert!(world.most_sockets <= MAX_SOCKETS, "seed {seed}: {}", world.most_sockets);
    (direct, carried)
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
    let delay = ms(1 + world.random(60));
    match world.random(9) {
        0 | 1 => {
            let directions = [Udp::OPEN, Udp::BLOCKED, Udp::NO_ANSWER, Udp::NO_WAY_THERE];
            world.udp = directions[usize::try_from(world.random(4)).unwrap()];
            "UDP"
        }
        2 => {
            if !world.serves.remove(&address(MAPPED)) {
                world.serves.insert(address(MAPPED));
            }
            "a mapping"
        }
        3 => {
            let link = if world.random(2) == 0 { home() } else { abroad("192.0.2.7", delay) };
            world.attach(Some(link));
            "a network"
        }
        4 => {
            world.channels.up().for_each(|channel| channel.stuck = true);
            "a channel is stuck"
        }
        5 => {
            world.end_channel();
            "a channel ends"
        }
        6 => {
            let time = Duration::from_secs(11 + world.random(100_000));
            world.sleep(time);
            "sleep"
        }
        _ => {
            world.open_channel(delay + ms(2));
            "a channel"
        }
    }
}
