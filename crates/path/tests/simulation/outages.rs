//! The router of the server fails, or forgets, or there is no network at all.

use std::time::Duration;

use path::{Family, MAX_SOCKETS};

use crate::link::Link;
use crate::scenarios::{abroad, home, session};
use crate::world::{LAN, MAPPED, Udp, World, address, ms};

const CANDIDATES: &[&str] = &[LAN, MAPPED];

/// What the issue allows a session once the network or the router is back.
const BACK: Duration = ms(2_000);

/// A network in which the laptop has the same address, and no NAT, each time it comes back.
fn hotspot() -> Link {
    Link { address: Some("20.0.0.9".parse().unwrap()), ..Link::new(&[Family::V4], ms(20)) }
}

/// A key each second.
fn type_for(world: &mut World, time: Duration) {
    for _ in 0..time.as_secs() {
        world.type_key();
        world.run(ms(1_000));
    }
}

/// The firewall of the server's router is loaded anew: the rule is gone, and the connections are not.
#[test]
fn a_flow_that_the_router_knows_is_found_again_after_a_time_without_network() {
    for without in [0, 3_000, 60_000] {
        let mut world = session(hotspot(), CANDIDATES);
        world.router.maps = false;
        world.attach(Some(home()));
        world.echo_within(ms(1_000)).unwrap();
        world.attach(None);
        world.run(ms(without));
        world.attach(Some(hotspot()));
        let echo = world.echo_within(ms(5_000));
        assert!(echo.is_some_and(|echo| echo <= ms(150 + 40)), "{without} ms without network: {echo:?}");
    }
}

#[test]
fn the_flow_that_worked_is_never_given_up_while_others_are_tried() {
    for outage in [5, 100, 1_000] {
        let mut world = session(hotspot(), CANDIDATES);
        world.router.maps = false;
        world.serves.clear();
        type_for(&mut world, Duration::from_secs(outage));
        assert!(world.most_sockets <= MAX_SOCKETS, "{}", world.most_sockets);
        world.serves.insert(address(MAPPED));
        let echo = world.echo_within(ms(5_000));
        assert!(echo.is_some_and(|echo| echo <= ms(100)), "after {outage} s: {echo:?}");
    }
}

/// At home the session finds another socket, and later yet another, after many that are closed again.
#[test]
fn nor_is_it_when_others_were_followed_meanwhile() {
    let mut world = session(hotspot(), CANDIDATES);
    let worked = world.port_in_use();
    world.router.maps = false;
    world.stuck_ports = [worked].into();
    world.attach(Some(home()));
    for silence in [4, 60] {
        world.serves.remove(&address(LAN));
        type_for(&mut world, Duration::from_secs(silence));
        world.serves.insert(address(LAN));
        assert!(world.echo_within(ms(2_000)).is_some());
        assert_eq!(world.followed().as_deref(), Some(LAN));
        assert_ne!(world.port_in_use(), worked);
    }
    world.stuck_ports.clear();
    world.attach(Some(hotspot()));
    let echo = world.echo_within(ms(5_000));
    assert!(echo.is_some_and(|echo| echo <= ms(150 + 40)), "{echo:?}");
    assert_eq!(world.port_in_use(), worked);
}

#[test]
fn a_router_that_is_back_is_noticed_within_two_seconds() {
    for down in [2, 10, 60, 240] {
        for idle in (0..3_000).step_by(100) {
            let mut world = session(hotspot(), CANDIDATES);
            world.run(ms(idle));
            world.type_key();
            world.restart_router(Duration::from_secs(down));
            let back = world.now;
            world.run(BACK);
            let key = world.client.keys.last().unwrap();
            assert!(key.echoed.is_some(), "{idle} ms idle, down for {down} s: {}", world.in_short());
            assert!(key.echoed > Some(back));
        }
    }
}

#[test]
fn what_is_typed_once_the_router_is_back_is_echoed_within_two_seconds() {
    for down in [0, 2, 10, 60, 600] {
        for idle in (0..3_000).step_by(100) {
            let mut world = session(abroad("203.0.113.5", ms(20)), CANDIDATES);
            world.run(ms(idle));
            world.restart_router(Duration::from_secs(down));
            let echo = world.echo_within(BACK);
            assert!(echo.is_some(), "{idle} ms idle, down for {down} s: {}", world.in_short());
        }
    }
}

/// Once a NAT takes what we send and lets no answer back: by the port that worked, or by all that came after.
#[test]
fn a_nat_that_lets_no_answer_back_is_escaped_by_new_sockets_and_by_the_old_one() {
    let mut world = session(abroad("203.0.113.5", ms(20)), CANDIDATES);
    world.deaf_ports = (40_000..=world.port_in_use()).collect();
    let echo = world.echo_within(ms(10_000));
    assert!(echo.is_some_and(|echo| echo <= ms(3_000)), "{echo:?}");

    let mut world = session(abroad("203.0.113.5", ms(20)), CANDIDATES);
    let worked = world.port_in_use();
    world.serves.clear();
    world.deaf_ports = (worked + 1..50_000).collect();
    world.type_key();
    world.run(Duration::from_secs(20));
    world.serves.insert(address(MAPPED));
    let echo = world.echo_within(ms(10_000));
    assert!(echo.is_some_and(|echo| echo <= ms(6_000)), "{echo:?}");
}

#[test]
fn no_new_sockets_are_tried_where_there_is_no_network() {
    let mut world = session(hotspot(), CANDIDATES);
    let before = (world.laptop.agent.counters().hops, world.port_in_use());
    world.attach(None);
    type_for(&mut world, Duration::from_secs(100));
    world.attach(Some(hotspot()));
    assert!(world.echo_within(ms(1_000)).is_some());
    assert_eq!((world.laptop.agent.counters().hops, world.port_in_use()), before);
    world.restart_router(ms(1_000));
    assert!(world.echo_within(BACK).is_some(), "and now they are");
    assert_ne!(world.port_in_use(), before.1);
}

/// mosh-server still comes through, and says the same each second, for nobody acknowledges it. So does mosh-client.
#[test]
fn a_server_that_hears_nothing_any_more_is_noticed_whenever_something_is_typed() {
    for pause in (50..500).step_by(5) {
        let mut world = session(hotspot(), CANDIDATES);
        let silences = |world: &World| world.laptop.agent.counters().silences;
        let before = silences(&world);
        world.type_key();
        world.run(ms(pause));
        world.udp = Udp::NO_WAY_THERE;
        world.type_key();
        world.run(ms(1_000));
        assert_eq!(silences(&world), before + 1, "{pause} ms after another key");
        world.run(ms(9_000));
        assert!(world.laptop.agent.counters().hops > 0, "{pause} ms after another key");
    }
}

/// Copies that were sent in each second, while nothing is typed and nothing answers.
fn copies_in_silence(seconds: usize) -> Vec<u64> {
    let mut world = session(hotspot(), CANDIDATES);
    world.link().loss_percent = 100;
    let copies = |world: &World| world.laptop.agent.counters().copies;
    let mut counted = Vec::new();
    for _ in 0..seconds {
        let before = copies(&world);
        world.run(ms(1_000));
        counted.push(copies(&world) - before);
    }
    counted
}

/// Two candidates and one family: each datagram of mosh-client, one in 3 s, goes over two paths by the newest socket and over
/// the one that worked; each new socket costs another two.
#[test]
fn a_silent_session_sends_little_and_less_after_some_minutes() {
    let counted = copies_in_silence(3_600);
    let a_minute = |from: usize, to: usize| counted[from..to].iter().sum::<u64>() * 60 / (to - from) as u64;
    let (heartbeats, hops, last_hops) = (20 * 3, 40 * 2, 6 * 2);
    assert_eq!((a_minute(60, 300), a_minute(600, 3_600)), (heartbeats + hops, heartbeats + last_hops));
    let most = counted.iter().max();
    assert!(most.is_some_and(|&most| most <= 10), "nudges included, in the first seconds: {most:?}");
}
