//! The terminal is the user's own again, however a login is left.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, scenario};

use crate::common::{PATIENCE, no_moshpunch_is_left, signal};
use crate::place::{Place, Shell};

const COMMAND: &str = "moshpunch --ssh='ssh -p 2222' router";
const PROGRESS: &str = "moshpunch: logging in to router …";
const ASKED: &str = "alice@router's password:";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_stop_leaves_a_clean_screen_and_the_progress_comes_back),
        scenario!(killed_while_connecting_it_leaves_a_clean_screen),
        scenario!(in_the_background_nothing_is_drawn),
        scenario!(a_list_of_new_host_keys_is_not_asked_about_in_the_session),
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
    shell.terminal.type_text("\x1a")?;
    shell.sees("Stopped")?;
    every_row_scrolls(&mut shell)?;
    shell.run("fg")?;
    shell.terminal.wait_until("the progress", PATIENCE, |screen| screen.lines().nth(23) == Some(PROGRESS))?;
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")?;
    no_moshpunch_is_left(place.laptop())
}

fn killed_while_connecting_it_leaves_a_clean_screen(lab: &Lab) -> Result<()> {
    let (place, mut shell) = connecting(lab)?;
    let processes = place.laptop().processes("moshpunch")?;
    let client =
        processes.iter().find(|process| process.arguments.get(1).is_some_and(|word| word.contains("--ssh")));
    signal(client.expect("a client"), Signal::KILL)?;
    shell.sees("Killed")?;
    every_row_scrolls(&mut shell)?;
    no_moshpunch_is_left(place.laptop())
}

fn in_the_background_nothing_is_drawn(lab: &Lab) -> Result<()> {
    let (_place, mut shell) = connecting(lab)?;
    shell.terminal.type_text("\x1a")?;
    shell.sees("Stopped")?;
    shell.run("clear; bg; jobs -r | grep -c .")?;
    shell.sees("alice@laptop:")?;
    every_row_scrolls(&mut shell)?;
    ensure!(!shell.terminal.screen().contains(PROGRESS), "{}", shell.terminal.screen());
    Ok(())
}

/// They come once ssh has logged in, and so when the screen may be mosh's.
fn a_list_of_new_host_keys_is_not_asked_about_in_the_session(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["HostKey /etc/ssh/lab_host_key", "HostKey /etc/ssh/another_key"])?;
    let make = ["-q", "-t", "ecdsa", "-N", "", "-f", "/etc/ssh/another_key"];
    place.network.router.command("ssh-keygen").args(make).run(PATIENCE)?;
    place.sshd.signal(Signal::HUP)?;
    place.sshd.wait_for_log("Received SIGHUP; restarting", PATIENCE)?;
    let known = "GlobalKnownHostsFile /dev/null\nHostKeyAlgorithms ssh-ed25519\n";
    place.configure(&format!("{known}StrictHostKeyChecking accept-new\nUpdateHostKeys no\n"))?;
    let first = place.laptop().command("ssh").args(["-p", "2222", "router", "true"]);
    first.as_user(lab::USER).run(PATIENCE)?;
    place.configure(&format!("{known}UpdateHostKeys ask\n"))?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.uses_session("router")?;
    ensure!(!shell.terminal.screen().contains("host keys"), "{}", shell.terminal.screen());
    Ok(())
}
