//! Who wants no holes has none, whether the laptop's user says so or who looks after the host; and holes need not carry.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{HostProcess, Lab, Nat, USER, scenario, wait_until};

use crate::common::{PATIENCE, keeper, process};
use crate::moves::logins;
use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_user_may_say_that_no_hole_is_to_be_punched),
        scenario!(a_user_may_configure_that_no_hole_is_to_be_punched),
        scenario!(a_host_may_say_that_no_hole_is_to_be_punched),
        scenario!(a_mosh_server_that_may_not_be_looked_at_is_told_and_the_session_carried),
        scenario!(without_carrying_a_hole_is_punched),
        scenario!(with_neither_there_is_no_channel),
    ]
}

const HELLO: &str = "there is a channel hello=";
const ASKED: &str = "event=Punch ";

fn raise(lab: &Lab) -> Result<Scene> {
    Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))
}

/// A round is asked for with the first datagram that is carried, if any is. What it said of its ways at the end.
fn is_carried_and_asks_for_nothing(scene: &mut Scene) -> Result<String> {
    scene.goes("Carried")?;
    (0..3).try_for_each(|_| scene.computes())?;
    let log = scene.news();
    ensure!(!log.contains(ASKED), "{log}");
    let said = scene.leaves()?;
    ensure!(said.contains("the session went over ssh"), "{said}");
    Ok(said)
}

fn a_user_may_say_that_no_hole_is_to_be_punched(lab: &Lab) -> Result<()> {
    let mut scene = raise(lab)?;
    scene.begin(&["--no-punch"])?;
    is_carried_and_asks_for_nothing(&mut scene).map(drop)
}

fn a_user_may_configure_that_no_hole_is_to_be_punched(lab: &Lab) -> Result<()> {
    let mut scene = raise(lab)?;
    let directory = "/home/alice/.config/moshpunch";
    scene.laptop().command("mkdir").args(["-p", directory]).as_user(USER).run(PATIENCE)?;
    scene.laptop().write_file(&format!("{directory}/config.toml"), "[client]\npunch = false\n")?;
    scene.begin(&[])?;
    is_carried_and_asks_for_nothing(&mut scene)?;
    // The environment is nearer than the file, either way.
    scene.begin_with(&[("MOSHPUNCH_PUNCH", "yes")], &[])?;
    scene.goes("Punched")?;
    scene.leaves_having_gone_through_a_hole()?;
    scene.laptop().write_file(&format!("{directory}/config.toml"), "")?;
    scene.begin_with(&[("MOSHPUNCH_PUNCH", "no")], &[])?;
    is_carried_and_asks_for_nothing(&mut scene).map(drop)
}

fn a_host_may_say_that_no_hole_is_to_be_punched(lab: &Lab) -> Result<()> {
    let mut scene = raise(lab)?;
    let server = &scene.network.server;
    server
        .write_file("/home/alice/.config/moshpunch/config.toml", "[server]\nbudget = 20\npunch = false\n")?;
    scene.begin(&[])?;
    ensure!(!keeper_has_mosh_servers_socket(&scene)?, "it was borrowed");
    let said = is_carried_and_asks_for_nothing(&mut scene)?;
    ensure!(
        said.contains("the host's configuration (punch = false) opens no way for UDP from there"),
        "{said}"
    );
    Ok(())
}

fn a_mosh_server_that_may_not_be_looked_at_is_told_and_the_session_carried(lab: &Lab) -> Result<()> {
    let mut scene = raise(lab)?;
    let copy = ["-m", "711", "/usr/bin/mosh-server", "/usr/local/bin/mosh-server"];
    scene.network.server.command("install").args(copy).run(PATIENCE)?;
    scene.begin(&[])?;
    let said = is_carried_and_asks_for_nothing(&mut scene)?;
    ensure!(said.contains("the host cannot open a way for UDP from mosh-server's port"), "{said}");
    Ok(())
}

fn without_carrying_a_hole_is_punched(lab: &Lab) -> Result<()> {
    let mut scene = raise(lab)?;
    scene.begin(&["--no-carry"])?;
    scene.goes("Punched")?;
    ensure!(keeper_has_mosh_servers_socket(&scene)?, "nothing is seen of what was borrowed");
    let log = scene.news();
    ensure!(!log.contains("kind: Carried"), "{log}");
    scene.leaves_having_gone_through_a_hole().map(drop)
}

fn with_neither_there_is_no_channel(lab: &Lab) -> Result<()> {
    let mut scene = raise(lab)?;
    scene.network.router.nat(
        &Nat::home("wan0").forward(lab::Protocol::Tcp, 8022, "192.168.1.10:22").forward(
            lab::Protocol::Udp,
            60001,
            "192.168.1.10:60001",
        ),
    )?;
    scene.begin(&["--no-carry", "--no-punch"])?;
    let laptop = scene.laptop().clone();
    wait_until("the end of ssh", PATIENCE, || Ok(logins(&laptop)?.is_empty().then_some(())))?;
    let log = scene.news();
    ensure!(!log.contains(HELLO) && !log.contains(ASKED), "{log}");
    scene.leaves().map(drop)
}

fn keeper_has_mosh_servers_socket(scene: &Scene) -> Result<bool> {
    let server = &scene.network.server;
    let (keeper, mosh_server) = (sockets(&keeper(server)?)?, sockets(&process(server, "mosh-server")?)?);
    Ok(!keeper.is_disjoint(&mosh_server))
}

fn sockets(process: &HostProcess) -> Result<BTreeSet<PathBuf>> {
    let open = fs::read_dir(format!("/proc/{}/fd", process.pid))?.flatten();
    let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(links.filter(|link| link.to_string_lossy().starts_with("socket:")).collect())
}
