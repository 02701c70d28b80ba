//! Hosts without moshpunch, and login shells of every kind.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Nat, Protocol, USER, WriteUp, scenario};

use crate::common::PATIENCE;
use crate::place::{BASHRC, Place};

const COMMAND: &str = "moshpunch --ssh='ssh -p 2222' router";
const ABSENT: &str = "has no moshpunch, so its router maps no port";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(without_moshpunch_there_a_forwarded_port_serves_and_one_line_says_so),
        scenario!(a_noisy_login_shell_is_no_obstacle),
        scenario!(an_offer_that_comes_with_the_connect_line_counts),
        scenario!(every_way_to_log_in_leads_to_a_session),
        scenario!(verbosely_each_step_is_told),
        scenario!(while_mosh_server_starts_the_search_for_the_gateway_is_told),
    ]
}

fn without_moshpunch_there_a_forwarded_port_serves_and_one_line_says_so(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let nat = Nat::home(WriteUp::OUTSIDE).forward(Protocol::Tcp, 8022, "192.168.1.10:22");
    place.network.router.nat(&nat.forward(Protocol::Udp, 60001, "192.168.1.10:60001"))?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh='ssh -p 8022' router")?;
    shell.uses_session("server")?;
    let lines = shell.lines();
    assert_eq!(lines.iter().filter(|line| line.contains(ABSENT)).count(), 1, "{lines:?}");
    Ok(())
}

fn a_noisy_login_shell_is_no_obstacle(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let noise =
        "echo Welcome to the router\nprintf 'no end of a line'\n[ -z \"$PS1\" ] || PS1='\\u@\\h:\\w\\$ '\n";
    place.network.router.write_user_file(BASHRC, noise)?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.terminal.wait_until("a session", PATIENCE, |screen| {
        screen.trim_start().starts_with("Welcome to the router\nno end of a linealice@router")
    })?;
    shell.run("exit")?;
    shell.is_back("0")?;
    let lines = shell.lines();
    assert_eq!(lines[..2], ["Welcome to the router", "no end of a line"].map(str::to_owned));
    Ok(())
}

/// Only that offer knows the port of the router that leads to the session.
fn an_offer_that_comes_with_the_connect_line_counts(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let nat = Nat::home(WriteUp::OUTSIDE).forward(Protocol::Tcp, 8022, "192.168.1.10:22");
    place.network.router.nat(&nat.forward(Protocol::Udp, 7777, "192.168.1.10:60001"))?;
    let offer = "printf '%s\\nMOSHPUNCH OFFER 1 mapped=20.0.0.1:7777\\n' \"$answer\"";
    let server = format!("#!/bin/sh\nanswer=$(mosh-server \"$@\" 2>/dev/null)\n{offer}\n");
    place.network.server.write_script("/usr/local/bin/at-once", &server)?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh='ssh -p 8022' --server=at-once router")?;
    shell.uses_session("server")?;
    ensure!(shell.terminal.screen().contains("20.0.0.1:7777"), "{}", shell.terminal.screen());
    Ok(())
}

fn every_way_to_log_in_leads_to_a_session(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let mut shell = place.shell()?;
    for how in ["--experimental-remote-ip=local", "--experimental-remote-ip=remote", "--no-ssh-pty", "-4"] {
        shell.run(&format!("clear; {COMMAND} {how}"))?;
        shell.uses_session("router")?;
    }
    shell.run("clear; moshpunch --local 127.0.0.1 -- sh -c \"echo with'in'; read end\"")?;
    shell.sees("within")?;
    shell.run("")?;
    shell.is_back("0")
}

fn verbosely_each_step_is_told(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let mut shell = place.shell()?;
    shell.run("moshpunch -v --ssh='ssh -p 2222' router 2>/tmp/steps")?;
    shell.uses_session_quietly("router")?;
    let steps = place.laptop().read_file("/tmp/steps")?;
    let mut rest = steps.as_str();
    for step in [
        "moshpunch: running ssh -p 2222 -tt ",
        "moshpunch: logging in to router …",
        "moshpunch: logged in; starting mosh-server there, and looking for its gateway …",
        "moshpunch: the host offers ",
        "moshpunch: mosh-server waits on UDP port 60001",
        "; looking for a path …",
        "0.000 s: 20.0.0.1:60001 (its own public address), because it answered first",
        "moshpunch: the session went over 20.0.0.1:60001 (its own public address)",
    ] {
        let at = rest.find(step);
        ensure!(at.is_some(), "{step:?} is missing or too early:\n{steps}");
        rest = &rest[at.unwrap_or(0) + step.len()..];
    }
    Ok(())
}

fn while_mosh_server_starts_the_search_for_the_gateway_is_told(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let router = &place.network.router;
    router.command("mkfifo").arg("/tmp/go").as_user(USER).run(PATIENCE)?;
    let slow = "#!/bin/sh\nread -r go </tmp/go\nexec /usr/bin/mosh-server \"$@\"\n";
    router.write_script("/usr/local/bin/mosh-server", slow)?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    let told = "moshpunch: logged in; starting mosh-server there, and looking for its gateway …";
    shell.terminal.wait_until("the step", PATIENCE, |screen| screen.lines().nth(23) == Some(told))?;
    router.command("sh").args(["-c", "echo >/tmp/go"]).as_user(USER).run(PATIENCE)?;
    shell.uses_session("router")
}
