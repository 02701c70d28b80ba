//! UDP is let through in the middle of a session: it is used, and nothing is carried any more.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, WriteUp, scenario, wait_until};

use crate::common::home::nft;
use crate::common::world::{FROM_OUTSIDE, Spot, World};
use crate::common::{PATIENCE, computes_within};
use crate::scene::{LINE, Scene, no_login_is_left};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(once_the_laptop_may_use_udp_nothing_is_carried),
        scenario!(once_the_host_may_use_udp_nothing_is_carried),
        scenario!(once_udp_gets_through_to_the_host_too_nothing_is_carried),
        scenario!(once_udp_gets_through_to_the_laptop_too_nothing_is_carried),
        scenario!(once_the_host_has_another_address_nothing_is_carried),
        scenario!(once_its_router_maps_the_port_nothing_is_carried).needs(&["miniupnpd"]),
    ]
}

/// While a session is carried a better way is tried once a minute; 10 s more.
const TRIED_AGAIN: Duration = Duration::from_secs(70);
/// Once a better way is followed.
const SSH_ENDS: Duration = Duration::from_secs(45);
const AFTER_AN_OFFER: Duration = Duration::from_secs(10);

fn once_the_laptop_may_use_udp_nothing_is_carried(lab: &Lab) -> Result<()> {
    nothing_is_carried_without(lab, Wall::AtLaptop)
}

fn once_the_host_may_use_udp_nothing_is_carried(lab: &Lab) -> Result<()> {
    nothing_is_carried_without(lab, Wall::AtHost)
}

fn once_udp_gets_through_to_the_host_too_nothing_is_carried(lab: &Lab) -> Result<()> {
    nothing_is_carried_without(lab, Wall::TowardHost)
}

fn once_udp_gets_through_to_the_laptop_too_nothing_is_carried(lab: &Lab) -> Result<()> {
    nothing_is_carried_without(lab, Wall::TowardLaptop)
}

fn nothing_is_carried_without(lab: &Lab, wall: Wall) -> Result<()> {
    let mut scene = Scene::in_session(lab, &[wall], LINE)?;
    let carried = Carried::count(scene.laptop(), 2222)?;
    scene.computes()?;
    ensure!(carried.segments()? > 0, "ssh has no part in it:\n{}", scene.log());
    wall.fall(&scene.place.network)?;
    let laptop = scene.laptop().clone();
    let followed = wait_until("an echo in which ssh has no part", TRIED_AGAIN + PATIENCE, || {
        let before = carried.segments()?;
        scene.computes()?;
        Ok((carried.segments()? == before).then_some(before))
    });
    let before = scene.explained(followed)?;
    (0..5).try_for_each(|_| scene.computes())?;
    assert_eq!(carried.segments()?, before, "something was carried:\n{}", scene.log());
    no_login_is_left(&laptop, SSH_ENDS + PATIENCE)?;
    scene.computes()?;
    let said = scene.leaves()?;
    ensure!(said.contains("the session went over 20.0.0.1:60001 "), "{said}");
    Ok(())
}

/// It tells of it by the channel. To the one that it had, UDP finds no way.
fn once_the_host_has_another_address_nothing_is_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[], &[])?;
    let chain = "type filter hook prerouting priority -10; meta l4proto udp ip daddr 20.0.0.1 drop;";
    nft(scene.host(), &format!("table inet wall {{ chain prerouting {{ {chain} }}; }}\n"))?;
    scene.opens(LINE)?;
    let carried = Carried::count(scene.laptop(), 2222)?;
    scene.computes()?;
    ensure!(carried.segments()? > 0, "ssh has no part in it:\n{}", scene.log());
    let outside = WriteUp::OUTSIDE;
    for words in [
        format!("address add 20.0.0.2/24 dev {outside}"),
        format!("route replace 20.0.0.0/24 dev {outside} src 20.0.0.2"),
    ] {
        scene.host().command("ip").args(words.split(' ')).run(PATIENCE)?;
    }
    let followed = wait_until("an echo in which ssh has no part", AFTER_AN_OFFER + PATIENCE, || {
        let before = carried.segments()?;
        scene.computes()?;
        Ok((carried.segments()? == before).then_some(()))
    });
    scene.explained(followed)?;
    no_login_is_left(scene.laptop(), SSH_ENDS + PATIENCE)?;
    let said = scene.leaves()?;
    ensure!(said.contains("20.0.0.2:60001 "), "{said}");
    Ok(())
}

/// TCP segments of ssh that carry something.
struct Carried(Host);

impl Carried {
    fn count(laptop: &Host, port: u16) -> Result<Self> {
        let chain = |hook: &str, side: &str| {
            let counts = format!("tcp {side} {port} tcp flags & psh == psh counter name carried;");
            format!("chain {hook} {{ type filter hook {hook} priority -10; {counts} }};")
        };
        let chains = chain("input", "sport") + &chain("output", "dport");
        nft(laptop, &format!("table inet counts {{ counter carried {{ }}; {chains} }}\n"))?;
        Ok(Self(laptop.clone()))
    }

    fn segments(&self) -> Result<u64> {
        let list = ["list", "counter", "inet", "counts", "carried"];
        let listed = self.0.command("nft").args(list).run(PATIENCE)?.stdout;
        let (_, rest) = listed.split_once("packets ").with_context(|| listed.clone())?;
        Ok(rest.split(' ').next().context("a number")?.parse()?)
    }
}

/// It does so some seconds after the session has begun; the offer comes by the channel.
fn once_its_router_maps_the_port_nothing_is_carried(lab: &Lab) -> Result<()> {
    let mut world = World::raise(lab, Spot::Internet)?;
    world.lose_mappings()?;
    let mut session = world.connect_by_any_way(&[&["--no-punch"], &FROM_OUTSIDE[..]].concat())?;
    world.start_miniupnpd()?;
    let mapped = wait_until("a mapping", PATIENCE, || world.mapped().map(Some))?;
    let carried = Carried::count(&world.laptop, 8022)?;
    let mut typed = 5_000;
    wait_until("an echo in which ssh has no part", AFTER_AN_OFFER + PATIENCE, || {
        let before = carried.segments()?;
        typed += 1;
        computes_within(&mut session.terminal, typed, PATIENCE)?;
        Ok((carried.segments()? == before).then_some(()))
    })?;
    no_login_is_left(&world.laptop, SSH_ENDS + PATIENCE)?;
    assert_eq!(session.leave()?, ["ssh", &mapped]);
    Ok(())
}
