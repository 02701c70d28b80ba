//! Any program that stock mosh takes in place of ssh.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER, scenario};

use crate::common::PATIENCE;
use crate::place::{BASHRC, Place};

const KEY: &str = "/home/alice/.ssh/id_dropbear";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let needs = ["dbclient", "dropbear", "dropbearconvert", "dropbearkey"];
    vec![
        scenario!(the_client_of_dropbear_serves).needs(&needs),
        scenario!(what_refuses_the_client_of_dropbear_is_told_apart).needs(&needs),
        scenario!(an_ssh_that_goes_into_the_background_serves),
        scenario!(an_ssh_that_goes_into_the_background_and_says_nothing_is_not_waited_for_in_vain),
    ]
}

/// With a key that it can read.
fn with_dropbear(lab: &Lab) -> Result<Place> {
    let place = Place::raise(lab, &[])?;
    let words = ["openssh", "dropbear", "/home/alice/.ssh/id_ed25519", KEY];
    place.laptop().command("dropbearconvert").args(words).as_user(USER).run(PATIENCE)?;
    let link = ["-s", "/usr/bin/dbclient", "/usr/local/bin/little-ssh"];
    place.laptop().command("ln").args(link).run(PATIENCE)?;
    Ok(place)
}

fn the_client_of_dropbear_serves(lab: &Lab) -> Result<()> {
    let place = with_dropbear(lab)?;
    let router = &place.network.router;
    router.command("dropbearkey").args(["-t", "ed25519", "-f", "/etc/dropbear_key"]).run(PATIENCE)?;
    let words = ["-F", "-E", "-p", "2223", "-r", "/etc/dropbear_key", "-P", "/run/dropbear.pid"];
    let dropbear = router.spawn("dropbear", &router.command("dropbear").args(words))?;
    dropbear.wait_for_log("Not backgrounding", PATIENCE)?;
    let mut shell = place.shell()?;
    for (ssh, options) in [
        ("dbclient -y -p 2222", ""),
        ("little-ssh -y -p 2222", ""),
        ("dbclient -y -p 2222", "--experimental-remote-ip=remote"),
        ("dbclient -y -p 2222", "--experimental-remote-ip=local"),
        ("dbclient -y -p 2222", "--no-ssh-pty"),
        ("dbclient -y -y -p 2223", ""),
        (
            "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -p 2223",
            "",
        ),
    ] {
        let key = if ssh.starts_with("ssh") { "" } else { " -i ~/.ssh/id_dropbear" };
        shell.run(&format!("clear; moshpunch --ssh=\"{ssh}{key}\" {options} router"))?;
        shell.uses_session("router")?;
    }
    Ok(())
}

fn what_refuses_the_client_of_dropbear_is_told_apart(lab: &Lab) -> Result<()> {
    let place = with_dropbear(lab)?;
    let output = place.output(&["--ssh=dbclient -y -p 9", "router"])?;
    ensure!(
        output.stderr.contains("moshpunch: nothing answers ssh on router, or not on that port\n"),
        "{output}"
    );
    let output = place.output(&["--ssh=dbclient -y -p 2222 -i /no/such", "mallory@router"])?;
    ensure!(output.stderr.contains("moshpunch: mallory@router let nobody in"), "{output}");
    Ok(())
}

fn an_ssh_that_goes_into_the_background_serves(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let mut shell = place.shell()?;
    shell.run("mosh --ssh='ssh -f -p 2222' router")?;
    shell.terminal.wait_for("alice@router:", PATIENCE)?;
    shell.run("exit")?;
    shell.is_back("0")?;
    shell.run("clear; moshpunch --ssh='ssh -f -p 2222' router")?;
    shell.uses_session("router")?;
    place.configure("Host router\n Port 2222\n ForkAfterAuthentication yes\n")?;
    shell.run("clear; moshpunch router")?;
    shell.uses_session("router")
}

fn an_ssh_that_goes_into_the_background_and_says_nothing_is_not_waited_for_in_vain(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    place.network.router.command("mkfifo").arg("/tmp/never").as_user(USER).run(PATIENCE)?;
    place.network.router.write_user_file(BASHRC, "read -r never </tmp/never\n")?;
    let output = place.output(&["--ssh=ssh -f -p 2222", "router"])?;
    ensure!(output.stderr.contains("moshpunch: router ended the login without starting"), "{output}");
    Ok(())
}
