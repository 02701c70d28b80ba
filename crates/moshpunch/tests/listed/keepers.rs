//! Sessions whose keeper does nothing any more.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, scenario};
use rustix::process::Signal;

use crate::common::{PATIENCE, computes, keeper, mosh_to_server, process, signal, state_files};
use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_session_whose_keeper_was_killed_is_closed_with_its_mapping),
        scenario!(a_session_whose_keeper_is_stopped_is_closed_with_its_mapping),
        scenario!(a_mosh_server_that_is_stopped_is_told_and_ended),
        scenario!(a_session_whose_state_file_was_deleted_is_known_by_its_keeper),
    ]
}

/// A router answers at once; these machines are busy.
const SOON: Duration = Duration::from_secs(5);

fn a_session_whose_keeper_was_killed_is_closed_with_its_mapping(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let mut terminal = mosh_to_server(&scene.laptop, "moshpunch server")?;
    scene.becomes("contact", "attached")?;
    signal(&keeper(&scene.server)?, Signal::KILL)?;
    let session = scene.becomes("keeper", "gone")?;
    assert_eq!((&session["contact"], &session["way"]), (&"attached".into(), &"mapped".into()));
    let table = scene.says(&["list"])?.stdout;
    ensure!(table.contains("its keeper was killed; nobody renews its mapping"), "{table}");
    computes(&mut terminal, 301)?;
    // mosh-server says goodbye, and nobody answers.
    scene.laptop.interface_down("eth0")?;
    ensure!(scene.closes(&session)? < SOON);
    lab::wait_until("no state file", PATIENCE, || Ok(state_files(&scene.server)?.is_empty().then_some(())))
}

fn a_session_whose_keeper_is_stopped_is_closed_with_its_mapping(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let _terminal = scene.own(&["--no-carry", "--no-punch"])?;
    scene.becomes("contact", "attached")?;
    signal(&keeper(&scene.server)?, Signal::STOP)?;
    let session = scene.becomes("keeper", "stopped")?;
    let table = scene.says(&["list"])?.stdout;
    ensure!(table.contains("is stopped; nobody renews its mapping"), "{table}");
    ensure!(scene.closes(&session)? < SOON);
    assert_eq!(state_files(&scene.server)?, [""; 0]);
    Ok(())
}

fn a_mosh_server_that_is_stopped_is_told_and_ended(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let _terminal = mosh_to_server(&scene.laptop, "moshpunch server")?;
    scene.becomes("contact", "attached")?;
    signal(&process(&scene.server, "mosh-server")?, Signal::STOP)?;
    let session = scene.becomes("contact", "unknown")?;
    assert_eq!(session["stopped"], true);
    let table = scene.says(&["list"])?.stdout;
    ensure!(table.contains(" stopped ") && table.contains("mosh-server itself is stopped"), "{table}");
    ensure!(scene.closes(&session)? < SOON);
    Ok(())
}

fn a_session_whose_state_file_was_deleted_is_known_by_its_keeper(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let _terminal = scene.own(&["--no-carry", "--no-punch"])?;
    let before = scene.becomes("contact", "attached")?;
    scene.server.command("rm").args(["-rf", "/run/user/1000/moshpunch"]).run(PATIENCE)?;
    let after = scene.only()?;
    assert_eq!((&after["name"], &after["keeper"]), (&before["name"], &"running".into()));
    ensure!(scene.closes(&after)? < SOON);
    Ok(())
}
