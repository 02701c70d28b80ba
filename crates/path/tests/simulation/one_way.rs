//! UDP comes through in one direction, or in none, and loses some of what it lets through: the channel carries.

use path::Kind;

use crate::carried::{CHANNEL, HEAD_START, ROUND, carried_session};
use crate::scenarios::{abroad, session};
use crate::world::{IPV6, LAN, MAPPED, Udp, World, ms};

const NEVER_BOTH_WAYS: [Udp; 3] = [Udp::BLOCKED, Udp::NO_ANSWER, Udp::NO_WAY_THERE];

fn each(mut test: impl FnMut(Udp, u64)) {
    for udp in NEVER_BOTH_WAYS {
        [0, 10, 30].into_iter().for_each(|loss_percent| test(udp, loss_percent));
    }
}

fn datagrams_by_udp(world: &World) -> u64 {
    world.sent.iter().filter(|&(&kind, _)| kind != Kind::Carried).map(|(_, sent)| sent).sum()
}

#[test]
fn what_is_typed_waits_for_no_more_than_a_head_start() {
    each(|udp, loss_percent| {
        let mut world = carried_session(udp);
        world.link().loss_percent = loss_percent;
        for pause in [67, 130, 1_300, 2_950].into_iter().cycle().take(1_000) {
            world.type_key();
            world.run(ms(pause));
        }
        world.run(ms(1_000));
        let longest = world.client.keys.iter().map(|key| key.echoed.map(|echoed| echoed - key.typed)).max();
        assert!(world.client.keys.iter().all(|key| key.echoed.is_some()), "{udp:?}, {loss_percent} % lost");
        assert!(
            longest.flatten().is_some_and(|longest| longest <= HEAD_START + ms(5) + ROUND),
            "{udp:?}, {loss_percent} % lost: {longest:?}"
        );
        assert_eq!(world.kind(), Some(Kind::Carried));
    });
}

/// Three datagrams for each of three addresses in each trial, and two trials a minute at most.
#[test]
fn an_hour_costs_trials_and_nothing_else() {
    each(|udp, loss_percent| {
        let mut world = carried_session(udp);
        world.link().loss_percent = loss_percent;
        let (before, counters) = (datagrams_by_udp(&world), world.laptop.agent.counters());
        for _ in 0..600 {
            world.type_key();
            world.run(ms(6_000));
        }
        let sent = datagrams_by_udp(&world) - before;
        assert!((3 * 3 * 60..=3 * 3 * 75).contains(&sent), "{udp:?}, {loss_percent} % lost: {sent}");
        let after = world.laptop.agent.counters();
        assert_eq!(
            (after.hops, after.moves),
            (counters.hops, counters.moves),
            "{udp:?}, {loss_percent} % lost"
        );
    });
}

#[test]
fn a_session_whose_udp_breaks_down_goes_on_within_about_a_second() {
    each(|udp, loss_percent| {
        for idle in [0, 1_000, 2_950, 10_000] {
            let mut world = session(abroad("203.0.113.5", ms(20)), &[LAN, IPV6, MAPPED]);
            world.open_channel(CHANNEL);
            world.run(ms(idle));
            world.udp = udp;
            world.link().loss_percent = loss_percent;
            let echo = world.echo_within(ms(5_000));
            assert!(
                echo.is_some_and(|echo| echo <= ms(1_000)),
                "{udp:?}, {loss_percent} %, {idle} ms idle: {echo:?}"
            );
        }
    });
}
