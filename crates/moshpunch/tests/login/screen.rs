//! The terminal is the user's own again, however a login is left.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, Sshd, scenario};

use crate::common::{PATIENCE, client, no_moshpunch_is_left, signal};
use crate::place::{Place, Shell};

const COMMAND: &str = "moshpunch --ssh='ssh -p 2222' router";
const PROGRESS: &str = "moshpunch: logging in to router …";
const ASKED: &str = "alice@router's password:";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_stop_leaves_a_clean_screen_and_the_progress_comes_back),
        scenario!(killed_while_connecting_it_leaves_a_clean_screen),
        scenario!(in_the_background_nothing_is_drawn),
        scenario!(new_host_keys_are_learnt_and_never_asked_about),
    ]
}

/// ssh asks, and the progress is told below.
fn connecting(lab: &Lab) -> Result<(Place, Shell)> {
    let place = Place::raise(lab, &["PasswordAuthentication yes", "PubkeyAuthentication no"])?;
    place.set_password()?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.sees(ASKED)?;
    shell.sees(PROGRESS)?;
    Ok((place, shell))
}

/// No row is left out when text scrolls.
fn every_row_scrolls(shell: &mut Shell) -> Result<()> {
    shell.terminal.wait_until("no progress", PATIENCE, |screen| !screen.contains(PROGRESS))?;
    shell.run("seq 100 140")?;
    shell.terminal.wait_until("a prompt on the last row", PATIENCE, |screen| {
        screen.contains("140") && screen.lines().nth(23).is_some_and(|row| row.starts_with("alice@laptop:"))
    })
}

fn a_stop_leaves_a_clean_screen_and_the_progress_comes_back(lab: &Lab) -> Result<()> {
    let (place, mut shell) = connecting(lab)?;
    place.stop(&mut shell)?;
    every_row_scrolls(&mut shell)?;
    shell.run("fg")?;
    shell.terminal.wait_until("the progress", PATIENCE, |screen| screen.lines().nth(23) == Some(PROGRESS))?;
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")?;
    no_moshpunch_is_left(place.laptop())
}

fn killed_while_connecting_it_leaves_a_clean_screen(lab: &Lab) -> Result<()> {
    let (place, mut shell) = connecting(lab)?;
    signal(&client(place.laptop())?, Signal::KILL)?;
    shell.says_of_its_job("Killed")?;
    every_row_scrolls(&mut shell)?;
    no_moshpunch_is_left(place.laptop())
}

fn in_the_background_nothing_is_drawn(lab: &Lab) -> Result<()> {
    let (place, mut shell) = connecting(lab)?;
    place.stop(&mut shell)?;
    shell.run("clear; bg; jobs -r | grep -c .")?;
    shell.sees("alice@laptop:")?;
    every_row_scrolls(&mut shell)?;
    ensure!(!shell.terminal.screen().contains(PROGRESS), "{}", shell.terminal.screen());
    Ok(())
}

/// They come once ssh has logged in, and so when the screen may be mosh's.
fn new_host_keys_are_learnt_and_never_asked_about(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let router = &place.network.router;
    let make = ["-q", "-t", "ecdsa", "-N", "", "-f", "/etc/ssh/another_key"];
    router.command("ssh-keygen").args(make).run(PATIENCE)?;
    let extra = vec!["HostKey /etc/ssh/another_key".to_owned()];
    let _sshd = router.sshd(&Sshd { port: 2224, extra })?;
    let known = "GlobalKnownHostsFile /dev/null\n";
    place.configure(&format!("{known}StrictHostKeyChecking accept-new\nUpdateHostKeys no\n"))?;
    let one_key = ["-p", "2224", "-o", "HostKeyAlgorithms=ssh-ed25519", "router", "true"];
    let first = place.laptop().command("ssh").args(one_key);
    first.as_user(lab::USER).run(PATIENCE)?;
    place.configure(&format!("{known}UpdateHostKeys ask\n"))?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh='ssh -p 2224' router")?;
    shell.uses_session("router")?;
    ensure!(!shell.terminal.screen().contains("host keys"), "{}", shell.terminal.screen());
    let known_hosts = || place.laptop().read_file("/home/alice/.ssh/known_hosts");
    ensure!(!known_hosts()?.contains("ecdsa"), "{}", known_hosts()?);
    place.configure(&format!("{known}UpdateHostKeys yes\n"))?;
    shell.run("clear; moshpunch --ssh='ssh -p 2224' router")?;
    shell.uses_session("router")?;
    ensure!(known_hosts()?.contains("ecdsa"), "{}", known_hosts()?);
    Ok(())
}
