//! What of it may be killed or stopped without anybody noticing.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, scenario};

use crate::common::{PATIENCE, keeper, signal};
use crate::scene::{LINE, OVER_SSH, Scene, no_login_is_left, only_login};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_carried_session_does_not_notice_the_end_of_its_keeper),
        scenario!(a_direct_session_does_not_notice_the_end_of_its_keeper),
        scenario!(a_direct_session_does_not_notice_the_end_of_its_ssh),
        scenario!(a_carried_session_goes_on_with_an_ssh_that_was_stopped),
        scenario!(once_a_carried_session_has_ended_nobody_logs_in_again),
    ]
}

fn without_its_keeper(lab: &Lab, walls: &[Wall]) -> Result<String> {
    let mut scene = Scene::in_session(lab, walls, LINE)?;
    signal(&keeper(scene.host())?, Signal::KILL)?;
    (0..5).try_for_each(|_| scene.computes())?;
    scene.leaves()
}

fn a_carried_session_does_not_notice_the_end_of_its_keeper(lab: &Lab) -> Result<()> {
    let said = without_its_keeper(lab, &[Wall::AtLaptop])?;
    ensure!(said.contains(OVER_SSH), "{said}");
    Ok(())
}

fn a_direct_session_does_not_notice_the_end_of_its_keeper(lab: &Lab) -> Result<()> {
    let said = without_its_keeper(lab, &[])?;
    ensure!(!said.contains(OVER_SSH) && said.contains("the session went over"), "{said}");
    Ok(())
}

fn a_direct_session_does_not_notice_the_end_of_its_ssh(lab: &Lab) -> Result<()> {
    let mut scene = Scene::in_session(lab, &[], LINE)?;
    let ssh = only_login(scene.laptop()).context("the login lives on for a while")?;
    signal(&ssh, Signal::KILL)?;
    (0..5).try_for_each(|_| scene.computes())?;
    let said = scene.leaves()?;
    ensure!(!said.contains(OVER_SSH) && said.contains("the session went over"), "{said}");
    Ok(())
}

fn a_carried_session_goes_on_with_an_ssh_that_was_stopped(lab: &Lab) -> Result<()> {
    let mut scene = Scene::in_session(lab, &[Wall::AtLaptop], LINE)?;
    let ssh = only_login(scene.laptop())?;
    for _ in 0..2 {
        signal(&ssh, Signal::STOP)?;
        scene.shell.terminal.type_text("echo typed $((6*7)) meanwhile\r")?;
        signal(&ssh, Signal::CONT)?;
        scene.shell.sees("typed 42 meanwhile")?;
        scene.computes()?;
        scene.shell.run("clear")?;
    }
    scene.leaves_having_gone_over_ssh()
}

/// The host says goodbye before mosh-client has ended, or after.
fn once_a_carried_session_has_ended_nobody_logs_in_again(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    for sessions in 1..=10 {
        scene.opens(LINE)?;
        scene.leaves_having_gone_over_ssh()?;
        no_login_is_left(scene.laptop(), PATIENCE)?;
        let log = scene.log();
        ensure!(!log.contains("logging in again"), "session {sessions}:\n{log}");
    }
    Ok(())
}
