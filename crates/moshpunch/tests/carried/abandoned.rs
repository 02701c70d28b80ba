//! The client is killed, its terminal closed, or it sleeps: its ssh ends with it, and what that serves on the host.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, USER, scenario, wait_until};

use crate::common::{PATIENCE, client, no_moshpunch_is_left, signal};
use crate::logins::server_command;
use crate::place::PASSWORD;
use crate::scene::{LINE, Scene, logins, no_login_is_left, only_login};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(an_ssh_that_would_go_into_the_background_ends_with_its_client),
        scenario!(an_ssh_of_a_script_ends_with_its_client),
        scenario!(an_ssh_that_is_stopped_ends_with_its_client),
        scenario!(an_ssh_ends_with_a_client_that_sleeps_and_is_killed),
        scenario!(of_a_client_that_shared_a_master_the_master_is_left),
        scenario!(where_the_terminal_is_closed_the_host_is_told),
        scenario!(of_a_session_that_sleeps_nothing_is_left_of_a_closed_terminal),
        scenario!(a_carried_session_goes_on_after_a_sleep),
    ]
}

/// Which is no program that the laptop's own death would tell of.
const SCRIPT: &str = "#!/bin/sh\nssh -p 2222 \"$@\"\necho \"ended: $?\" >&2\n";

fn nothing_is_left(scene: &Scene) -> Result<()> {
    no_login_is_left(scene.laptop(), PATIENCE)?;
    no_moshpunch_is_left(scene.laptop())?;
    no_server_is_left(scene)
}

fn no_server_is_left(scene: &Scene) -> Result<()> {
    wait_until("the end of what served the channel", PATIENCE, || {
        Ok(server_command(scene.host()).is_err().then_some(()))
    })
}

fn in_session(lab: &Lab, options: &str) -> Result<Scene> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    scene.place.configure(&format!("Host router\n Port 2222\n{options}"))?;
    scene.opens("moshpunch router")?;
    Ok(scene)
}

fn is_killed(scene: &Scene) -> Result<()> {
    signal(&client(scene.laptop())?, Signal::KILL)?;
    nothing_is_left(scene)?;
    scene.shell.sees("Killed")
}

fn an_ssh_that_would_go_into_the_background_ends_with_its_client(lab: &Lab) -> Result<()> {
    is_killed(&in_session(lab, " ForkAfterAuthentication yes\n")?)
}

fn an_ssh_of_a_script_ends_with_its_client(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    scene.laptop().write_script("/usr/local/bin/script-of-alices", SCRIPT)?;
    scene.opens("moshpunch --ssh=script-of-alices router")?;
    is_killed(&scene)
}

fn an_ssh_that_is_stopped_ends_with_its_client(lab: &Lab) -> Result<()> {
    let scene = in_session(lab, "")?;
    signal(&only_login(scene.laptop())?, Signal::STOP)?;
    is_killed(&scene)
}

/// Ctrl-^ Ctrl-Z, as mosh has it.
fn falls_asleep(scene: &mut Scene) -> Result<()> {
    scene.shell.terminal.type_text("\x1e\x1a")?;
    scene.shell.says_of_its_job("Stopped")
}

fn an_ssh_ends_with_a_client_that_sleeps_and_is_killed(lab: &Lab) -> Result<()> {
    let mut scene = in_session(lab, "")?;
    falls_asleep(&mut scene)?;
    signal(&client(scene.laptop())?, Signal::KILL)?;
    nothing_is_left(&scene)
}

/// First by that, and after a moment by a connection of its own.
fn of_a_client_that_shared_a_master_the_master_is_left(lab: &Lab) -> Result<()> {
    let master = " ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist yes\n";
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    scene.place.configure(&format!("Host router\n Port 2222\n{master}"))?;
    scene.laptop().command("ssh").args(["router", "true"]).as_user(USER).run(PATIENCE)?;
    let master = only_login(scene.laptop())?;
    for moves_off in [false, true] {
        scene.opens("moshpunch router")?;
        if moves_off {
            let own = || Ok(scene.log().contains("the channel has ended").then_some(()));
            wait_until("a connection of its own", PATIENCE, own)?;
            scene.computes()?;
        }
        signal(&client(scene.laptop())?, Signal::KILL)?;
        no_moshpunch_is_left(scene.laptop())?;
        let alone = || Ok((logins(scene.laptop())? == [master.clone()]).then_some(()));
        wait_until("the end of every other ssh", PATIENCE, alone)?;
        no_server_is_left(&scene)?;
        scene.shell.says_of_its_job("Killed")?;
    }
    Ok(())
}

/// Nobody could log in once more to tell.
fn where_the_terminal_is_closed_the_host_is_told(lab: &Lab) -> Result<()> {
    let options = ["PasswordAuthentication yes", "PubkeyAuthentication no"];
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &options)?;
    scene.place.set_password()?;
    scene.laptop().write_script("/usr/local/bin/script-of-alices", SCRIPT)?;
    for line in [LINE, "moshpunch --ssh=script-of-alices router"] {
        scene.run(line)?;
        scene.shell.answer("alice@router's password:", PASSWORD)?;
        scene.is_in()?;
        ensure!(!scene.host().processes("mosh-server")?.is_empty(), "a session is there");
        // Another takes its place, and it is closed.
        scene.shell = scene.place.shell()?;
        nothing_is_left(&scene)?;
        let ended = wait_until("the end of mosh-server", PATIENCE, || {
            Ok(scene.host().processes("mosh-server")?.is_empty().then_some(()))
        });
        scene.explained(ended)?;
    }
    Ok(())
}

fn of_a_session_that_sleeps_nothing_is_left_of_a_closed_terminal(lab: &Lab) -> Result<()> {
    let mut scene = in_session(lab, "")?;
    falls_asleep(&mut scene)?;
    scene.shell = scene.place.shell()?;
    nothing_is_left(&scene)
}

fn a_carried_session_goes_on_after_a_sleep(lab: &Lab) -> Result<()> {
    let mut scene = in_session(lab, "")?;
    for _ in 0..2 {
        falls_asleep(&mut scene)?;
        scene.shell.run("fg")?;
        scene.computes()?;
    }
    scene.leaves_having_gone_over_ssh()
}
