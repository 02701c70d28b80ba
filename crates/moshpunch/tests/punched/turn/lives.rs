//! What becomes of a relay in the course of a session.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Nat, scenario, wait_until};
use net::clock;

use super::{
    NAMED, WITH_PASSWORDS, host_on_the_internet, is_relayed_again, leaves_having_been_relayed, turn_server,
    turn_server_at, two_symmetric,
};
use crate::common::PATIENCE;
use crate::moves::new_logins;
use crate::scene::Scene;
use crate::sleep::{ASLEEP, sleeps_for};

/// Rounds go on beside a relay, and the second of them comes two minutes after the first.
const RARELY: Duration = Duration::from_secs(150);

/// As `path::relay` has it, less what a busy machine takes to see it.
const KEPT: Duration = Duration::from_secs(50);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_server_that_has_moved_is_found_by_its_name),
        scenario!(after_a_sleep_that_nothing_outlived_it_is_relayed_again),
        scenario!(what_was_given_is_given_back_a_minute_after_a_hole_was_found).within(2 * RARELY),
        scenario!(a_server_that_is_reached_by_ipv6_relays_ipv4),
    ]
}

fn a_server_that_has_moved_is_found_by_its_name(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let server = turn_server(&host, &WITH_PASSWORDS)?;
    scene.begin(&[&["--turn=turn:turn"], &NAMED[1..]].concat())?;
    scene.goes("Relayed")?;
    scene.leaf_to_the_end();
    drop(server);
    host.readdress("eth0", &["20.0.0.4/24"], &["20.0.0.2"])?;
    let _server = turn_server_at(&host, "20.0.0.4", &WITH_PASSWORDS)?;
    scene.goes("Carried")?;
    is_relayed_again(&mut scene)?;
    let news = scene.news();
    ensure!(news.contains("by: 20.0.0.4:3478"), "{news}");
    leaves_having_been_relayed(&mut scene)
}

fn after_a_sleep_that_nothing_outlived_it_is_relayed_again(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &WITH_PASSWORDS)?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    scene.leaf_to_the_end();
    sleeps_for(&scene, ASLEEP)?;
    scene.computes()?;
    scene.goes("Relayed")?;
    ensure!(new_logins(&scene) > 0, "{}", scene.news());
    leaves_having_been_relayed(&mut scene)
}

/// The café's router lets holes be punched from some moment on, and nobody tells.
fn what_was_given_is_given_back_a_minute_after_a_hole_was_found(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(Nat::symmetric("wan0")), Nat::home("wan0"))?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &WITH_PASSWORDS)?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    ensure!(given(&host)? == 1, "one address");
    scene.cafe.nat(&Nat::home("wan0"))?;
    let found = wait_until("a hole", RARELY, || Ok(scene.news().contains("kind: Punched,").then_some(())));
    scene.explained(found)?;
    let begun = clock::now();
    let returned =
        wait_until("what was given back", KEPT + PATIENCE, || Ok((given(&host)? == 0).then_some(())));
    scene.explained(returned)?;
    ensure!(clock::now() - begun >= KEPT, "it may be needed: {:?}\n{}", clock::now() - begun, scene.log());
    scene.computes()?;
    scene.leaves_having_gone_through_a_hole().map(drop)
}

/// It stands in the café's own network, which has IPv6 beside IPv4.
fn a_server_that_is_reached_by_ipv6_relays_ipv4(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = lab.host("turn").attach("eth0", &scene.network.internet, &["20.0.0.3/24"]);
    let host = host.attach("eth1", &scene.inside, &["2a00:1::3/64"]).default_route("20.0.0.2").start()?;
    super::keep_password(&scene, "600")?;
    scene.laptop().join("eth0", &scene.inside, &["10.1.0.5/24", "2a00:1::5/64"], &["10.1.0.1"])?;
    let relays = [&WITH_PASSWORDS[..], &["--relay-ip=20.0.0.3"]].concat();
    let _server = turn_server_at(&host, "2a00:1::3", &relays)?;
    scene.begin(&[&["--turn=turn:[2a00:1::3]"], &NAMED[1..]].concat())?;
    scene.goes("Relayed")?;
    leaves_having_been_relayed(&mut scene)
}

/// How many addresses the server has given.
fn given(server: &Host) -> Result<usize> {
    let sockets = server.command("ss").args(["-Huln", "sport", "ge", ":49152"]).run(PATIENCE)?;
    Ok(sockets.stdout.lines().count())
}
