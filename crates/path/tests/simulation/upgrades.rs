//! How soon a direct way is found and how well it is kept, over networks that are slow or lossy.

use std::time::Duration;

use path::Kind;

use crate::carried::{ALL, FOUND, is_mapped, time_until};
use crate::link::Link;
use crate::scenarios::abroad;
use crate::world::{LAN, MAPPED, Udp, World, ms};

/// Round trips, in milliseconds: a city, a continent, around the world, by satellite, and that with a queue.
const ROUND_TRIPS: [u64; 5] = [40, 100, 300, 600, 1_000];

/// After an offer, if the way that it names works. Where an answer takes long, the one that is under way is waited for.
fn found_after_offer(round_trip: u64) -> Duration {
    ms(1_300) + ms(round_trip)
}

/// UDP and the channel take the same time, but for the programs in between.
fn network(round_trip: u64, loss_percent: u64) -> Link {
    Link { loss_percent, ..abroad("203.0.113.5", ms(round_trip / 2)) }
}

fn channel(round_trip: u64) -> Duration {
    ms(round_trip / 2 + 2)
}

fn type_for(world: &mut World, time: Duration, pause: Duration) {
    let end = world.now + time;
    while world.now < end {
        world.type_key();
        world.run(pause);
    }
}

#[test]
fn a_router_that_maps_after_the_start_is_used_soon_after_the_offer() {
    for round_trip in ROUND_TRIPS {
        for (after, typing) in (0..3_000).step_by(150).flat_map(|after| [(after, false), (after, true)]) {
            let mut world = World::new(&[LAN], after);
            world.router.maps = false;
            world.attach(Some(network(round_trip, 0)));
            world.open_channel(channel(round_trip));
            match typing {
                true => type_for(&mut world, ms(after), ms(150)),
                false => world.run(ms(after)),
            }
            world.router.maps = true;
            world.offer(&[MAPPED]);
            let found = time_until(&mut world, ms(10_000), is_mapped);
            assert!(
                found.is_some_and(|found| found <= found_after_offer(round_trip)),
                "{round_trip} ms, offered after {after} ms, typing: {typing}: {found:?}"
            );
        }
    }
}

#[test]
fn an_offer_leads_to_a_direct_way_within_ten_seconds_whatever_is_lost() {
    for (round_trip, seed) in
        ROUND_TRIPS.into_iter().flat_map(|round_trip| (1..=20).map(move |seed| (round_trip, seed)))
    {
        let mut world = World::new(&[LAN], seed);
        world.attach(Some(network(round_trip, 30)));
        world.open_channel(channel(round_trip));
        world.run(Duration::from_secs(3));
        world.offer(&[MAPPED]);
        assert!(time_until(&mut world, ms(10_000), is_mapped).is_some(), "{round_trip} ms, seed {seed}");
    }
}

/// How long it took in each of some sessions.
fn upgrades(round_trip: u64, loss_percent: u64) -> Vec<Duration> {
    let upgrade = |seed| {
        let mut world = World::new(ALL, seed);
        world.udp = Udp::BLOCKED;
        world.attach(Some(network(round_trip, loss_percent)));
        world.open_channel(channel(round_trip));
        world.run(Duration::from_secs(100) + ms(977 * seed));
        world.udp = Udp::OPEN;
        time_until(&mut world, Duration::from_secs(600), is_mapped).expect("it is found at last")
    };
    let mut times: Vec<_> = (1..40).map(upgrade).collect();
    times.sort_unstable();
    times
}

#[test]
fn a_direct_way_that_opens_without_a_sign_is_found_through_loss() {
    for round_trip in ROUND_TRIPS {
        let times = [0, 10, 30].map(|loss_percent| upgrades(round_trip, loss_percent));
        let [none, some, much] = times.map(|times| times.iter().filter(|&&time| time <= FOUND).count());
        assert_eq!((none, some), (39, 39), "{round_trip} ms");
        assert!(much >= 30, "{round_trip} ms: {much}");
    }
}

/// As soon as its round trip is known.
#[test]
fn a_direct_way_is_kept_however_long_its_round_trip_is() {
    for round_trip in ROUND_TRIPS {
        let mut world = World::new(ALL, 1);
        world.attach(Some(network(round_trip, 0)));
        world.open_channel(channel(round_trip));
        type_for(&mut world, Duration::from_secs(10), ms(130));
        let begin = (world.sent[&Kind::Mapped], world.sent.get(&Kind::Carried).copied(), world.carried_down);
        type_for(&mut world, Duration::from_secs(100), ms(1_300));
        type_for(&mut world, Duration::from_secs(10), ms(130));
        assert!(is_mapped(&world), "{round_trip} ms");
        assert_eq!(
            (world.sent.get(&Kind::Carried).copied(), world.carried_down),
            (begin.1, begin.2),
            "{round_trip} ms"
        );
        let counters = world.laptop.agent.counters();
        assert!(counters.silences <= 1 && counters.moves == 1, "{round_trip} ms: {counters:?}");
        let since = world.laptop.agent.standing().direct_since.map(|since| world.now - since);
        assert!(since > Some(Duration::from_secs(110)), "{round_trip} ms: {since:?}");
    }
}

#[test]
fn what_is_typed_over_a_slow_channel_brings_no_silences() {
    for (round_trip, udp) in ROUND_TRIPS
        .into_iter()
        .flat_map(|time| [Udp::BLOCKED, Udp::NO_ANSWER, Udp::NO_WAY_THERE].map(|udp| (time, udp)))
    {
        let mut world = World::new(ALL, 1);
        world.udp = udp;
        world.attach(Some(network(round_trip, 0)));
        world.open_channel(channel(round_trip));
        type_for(&mut world, Duration::from_secs(10), ms(130));
        type_for(&mut world, Duration::from_secs(100), ms(1_300));
        let counters = world.laptop.agent.counters();
        assert!(counters.silences <= 1, "{round_trip} ms, {udp:?}: {counters:?}");
    }
}

/// On a Wi-Fi that is busy.
#[test]
fn a_datagram_that_is_lost_now_and_then_makes_no_session_carried() {
    let mut carried = Duration::ZERO;
    for seed in 1..=10 {
        let mut world = World::new(ALL, seed);
        world.attach(Some(network(40, 1)));
        world.open_channel(channel(40));
        for _ in 0..1_800 {
            world.type_key();
            world.run(ms(333));
            carried += if is_mapped(&world) { Duration::ZERO } else { ms(333) };
        }
    }
    assert!(carried <= Duration::from_secs(60), "of 6000 s: {carried:?}");
}
