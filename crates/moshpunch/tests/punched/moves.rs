//! A punched session whose laptop goes elsewhere, whose hole is lost, or whose ssh is.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, HostProcess, Lab, Link, Nat, Signal, scenario, wait_until};

use crate::common::{PATIENCE, keeper, process, signal};
use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(from_one_cafe_to_another_it_goes_directly_again),
        scenario!(at_home_it_takes_the_better_way_and_away_again_a_hole),
        scenario!(whose_ssh_was_lost_logs_in_at_once_when_it_moves),
        scenario!(whose_cafe_gets_another_address_goes_directly_again),
        scenario!(whose_ssh_is_lost_goes_on_and_logs_in_once_its_hole_is_lost),
        scenario!(whose_keeper_was_killed_goes_on_and_gets_ssh_in_the_next_network),
        scenario!(whose_mosh_server_was_killed_asks_the_host_for_nothing_more),
    ]
}

/// Another café's network, as far away.
fn another_cafe(lab: &Lab, scene: &Scene) -> Result<(Host, Link)> {
    let inside = lab.link("cafe-b")?;
    let router = lab.host("cafe-b").attach("wan0", &scene.city, &["20.0.1.60/24"]).default_route("20.0.1.1");
    let router = router.attach("lan0", &inside, &["10.2.0.1/24"]).start()?;
    router.nat(&Nat::home("wan0"))?;
    Ok((router, inside))
}

pub(crate) fn punched(lab: &Lab) -> Result<Scene> {
    let mut scene = Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    scene.leaf_to_the_end();
    Ok(scene)
}

fn goes_to_cafe_b(scene: &mut Scene, cafe_b: &Link) -> Result<()> {
    scene.laptop().join("eth0", cafe_b, &["10.2.0.5/24"], &["10.2.0.1"])?;
    scene.computes()
}

fn goes_back_to_the_cafe(scene: &mut Scene) -> Result<()> {
    scene.laptop().join("eth0", &scene.inside, &["10.1.0.5/24"], &["10.1.0.1"])?;
    scene.computes()
}

/// Those of ssh that the session has, without what a login starts of itself.
pub(crate) fn logins(laptop: &Host) -> Result<Vec<HostProcess>> {
    let mut logins = laptop.processes("ssh")?;
    logins.retain(|login| !login.arguments.is_empty());
    Ok(logins)
}

pub(crate) fn loses_ssh(scene: &Scene) -> Result<()> {
    for login in logins(scene.laptop())? {
        signal(&login, Signal::KILL)?;
    }
    let ended = wait_until("the end of the channel to be known", PATIENCE, || {
        Ok(scene.news().contains("the channel has ended").then_some(()))
    });
    scene.explained(ended)
}

/// As where a host restarts, or its administrator does so.
pub(crate) fn ends_logins_on_the_host(scene: &Scene) -> Result<()> {
    let mut served = scene.network.server.processes("moshpunch")?;
    served.retain(|process| process.arguments.get(1).is_some_and(|word| word == "server"));
    ensure!(!served.is_empty(), "nobody serves a channel");
    served.iter().try_for_each(|process| signal(process, Signal::KILL))
}

pub(crate) fn new_logins(scene: &Scene) -> usize {
    scene.news().matches("logging in again").count()
}

fn from_one_cafe_to_another_it_goes_directly_again(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    let (_router, cafe_b) = another_cafe(lab, &scene)?;
    goes_to_cafe_b(&mut scene, &cafe_b)?;
    scene.goes("Punched")?;
    scene.leaf_to_the_end();
    goes_back_to_the_cafe(&mut scene)?;
    scene.goes("Punched")?;
    scene.leaves_having_gone_through_a_hole().map(drop)
}

fn at_home_it_takes_the_better_way_and_away_again_a_hole(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    for _ in 0..2 {
        scene.laptop().join("eth0", &scene.network.home, &["192.168.1.50/24"], &["192.168.1.1"])?;
        scene.goes("Lan")?;
        scene.leaf_to_the_end();
        goes_back_to_the_cafe(&mut scene)?;
        scene.goes("Punched")?;
        scene.leaf_to_the_end();
    }
    scene.leaves_having_gone_through_a_hole().map(drop)
}

fn whose_ssh_was_lost_logs_in_at_once_when_it_moves(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    let (_router, cafe_b) = another_cafe(lab, &scene)?;
    loses_ssh(&scene)?;
    scene.computes()?;
    assert_eq!(new_logins(&scene), 0);
    goes_to_cafe_b(&mut scene, &cafe_b)?;
    scene.goes("Punched")?;
    scene.leaves_having_gone_through_a_hole().map(drop)
}

/// As where a provider gives another every night: the laptop sees no change, and all that went by the old one is lost.
fn whose_cafe_gets_another_address_goes_directly_again(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    gets_another_address(&scene)?;
    scene.computes()?;
    scene.goes("Punched")?;
    ensure!(new_logins(&scene) > 0, "{}", scene.news());
    logged_in_before_any_alarm(&scene)?;
    scene.leaves_having_gone_through_a_hole().map(drop)
}

pub(crate) fn gets_another_address(scene: &Scene) -> Result<()> {
    scene.cafe.readdress("wan0", &["20.0.1.51/24"], &["20.0.1.1"])?;
    scene.cafe.forget_connections()
}

fn whose_ssh_is_lost_goes_on_and_logs_in_once_its_hole_is_lost(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    loses_ssh(&scene)?;
    (0..5).try_for_each(|_| scene.computes())?;
    ensure!(
        logins(scene.laptop())?.is_empty(),
        "a login for nothing: {:?}\n{}",
        logins(scene.laptop())?,
        scene.log()
    );
    gets_another_address(&scene)?;
    scene.computes()?;
    scene.goes("Punched")?;
    logged_in_before_any_alarm(&scene)?;
    scene.leaves_having_gone_through_a_hole().map(drop)
}

/// An alarm is of a silence of some seconds.
fn logged_in_before_any_alarm(scene: &Scene) -> Result<()> {
    let (log, logged_in) = (scene.news(), "logging in again");
    let until_then = log.split_once(logged_in).with_context(|| format!("no login:\n{log}"))?.0;
    ensure!(!until_then.contains("event=Silent"), "{log}");
    Ok(())
}

fn whose_keeper_was_killed_goes_on_and_gets_ssh_in_the_next_network(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    let (_router, cafe_b) = another_cafe(lab, &scene)?;
    signal(&keeper(&scene.network.server)?, Signal::KILL)?;
    (0..5).try_for_each(|_| scene.computes())?;
    ensure!(scene.news().matches("event=Moved").count() == 0, "{}", scene.log());
    goes_to_cafe_b(&mut scene, &cafe_b)?;
    scene.goes("Carried")?;
    let said = scene.leaves()?;
    ensure!(said.contains("the session went over ssh"), "{said}");
    ensure!(said.contains("this login does not hear of the router: "), "{said}");
    Ok(())
}

/// The host has said so. mosh-client waits for its user, as ever.
fn whose_mosh_server_was_killed_asks_the_host_for_nothing_more(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    signal(&process(&scene.network.server, "mosh-server")?, Signal::KILL)?;
    let alarms = || Ok((scene.news().matches("event=Silent").count() >= 2).then_some(()));
    scene.explained(wait_until("two alarms", PATIENCE, alarms))?;
    assert_eq!(new_logins(&scene), 0, "{}", scene.news());
    scene.session()?.type_text("\x1e.")?;
    scene.session()?.wait_exit(PATIENCE).map(drop)
}
