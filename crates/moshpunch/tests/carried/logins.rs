//! What carries a session has ended, or does not answer: another login does it.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, HostProcess, Lab, Signal, USER, scenario};

use crate::common::{PATIENCE, signal};
use crate::out_of_reach::FOUND_AGAIN;
use crate::scene::{LINE, Scene, logins, only_login};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_carried_session_outlives_its_ssh),
        scenario!(a_carried_session_outlives_sshds_process),
        scenario!(a_carried_session_outlives_what_serves_it_on_the_host),
        scenario!(a_carried_session_goes_on_beside_an_ssh_that_stays_stopped),
        scenario!(another_login_runs_the_users_own_moshpunch_there),
        scenario!(a_master_that_a_move_has_cut_off_is_not_used),
    ]
}

fn goes_on_without(lab: &Lab, process: impl Fn(&Scene) -> Result<HostProcess>) -> Result<()> {
    let mut scene = Scene::in_session(lab, &[Wall::AtLaptop], LINE)?;
    for _ in 0..2 {
        signal(&process(&scene)?, Signal::KILL)?;
        scene.computes_within(FOUND_AGAIN)?;
    }
    scene.leaves_having_gone_over_ssh()
}

fn a_carried_session_outlives_its_ssh(lab: &Lab) -> Result<()> {
    goes_on_without(lab, |scene| only_login(scene.laptop()))
}

fn a_carried_session_outlives_sshds_process(lab: &Lab) -> Result<()> {
    goes_on_without(lab, |scene| sshds_process(scene.host()))
}

fn a_carried_session_outlives_what_serves_it_on_the_host(lab: &Lab) -> Result<()> {
    goes_on_without(lab, |scene| server_command(scene.host()))
}

/// It says so in its title.
fn sshds_process(host: &Host) -> Result<HostProcess> {
    let mut processes = host.processes("sshd")?;
    processes.retain(|process| process.arguments.iter().any(|title| title.contains("alice@")));
    ensure!(processes.len() == 1, "one session of sshd expected: {processes:?}");
    Ok(processes.remove(0))
}

pub(crate) fn server_command(host: &Host) -> Result<HostProcess> {
    let is_it = |process: &HostProcess| process.arguments.get(1).is_some_and(|word| word == "server");
    host.processes("moshpunch")?.into_iter().find(is_it).context("a server command")
}

fn a_carried_session_goes_on_beside_an_ssh_that_stays_stopped(lab: &Lab) -> Result<()> {
    let mut scene = Scene::in_session(lab, &[Wall::AtLaptop], LINE)?;
    let ssh = only_login(scene.laptop())?;
    signal(&ssh, Signal::STOP)?;
    scene.computes_within(FOUND_AGAIN)?;
    scene.computes()?;
    ensure!(logins(scene.laptop())?.iter().any(|login| login.pid != ssh.pid), "who carries it?");
    scene.leaves_having_gone_over_ssh()
}

/// Which nobody would find.
fn another_login_runs_the_users_own_moshpunch_there(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    // What the lab installs is mounted.
    let hide = "mkdir -p '/opt/her own' && cd /usr/local/bin && cp moshpunch '/opt/her own' && umount $PWD/moshpunch && rm moshpunch";
    scene.host().command("sh").args(["-c", hide]).run(PATIENCE)?;
    let server = "--server=\"'/opt/her own/moshpunch' server --budget 20\"";
    scene.opens(&LINE.replace("moshpunch", &format!("moshpunch {server}")))?;
    signal(&only_login(scene.laptop())?, Signal::KILL)?;
    scene.computes_within(FOUND_AGAIN)?;
    scene.leaves_having_gone_over_ssh()
}

/// The user's own master looks alive, but its connection has an address that is gone.
fn a_master_that_a_move_has_cut_off_is_not_used(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    scene.place.configure(
        "Host router\n Port 2222\n ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist 10m\n",
    )?;
    scene.laptop().command("ssh").args(["router", "true"]).as_user(USER).run(PATIENCE)?;
    scene.opens("moshpunch router")?;
    scene.laptop().readdress("eth0", &["20.0.0.19/24"], &[])?;
    scene.computes_within(FOUND_AGAIN)?;
    scene.leaves_having_gone_over_ssh()
}
