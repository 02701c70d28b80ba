//! What the user configured for ssh holds.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER, WriteUp, scenario, wait_until};

use crate::common::{PATIENCE, wait_for_empty_table};
use crate::place::{PASSWORD, Place};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_host_behind_a_jump_host_is_reached_over_the_mapped_port).needs(&["miniupnpd"]),
        scenario!(a_proxy_command_of_ssh_serves).needs(&["miniupnpd"]),
        scenario!(a_proxy_command_of_another_program_serves),
        scenario!(a_master_connection_is_used_and_outlives_the_session),
        scenario!(moshpunch_becomes_no_master),
        scenario!(aliases_and_matches_hold),
        scenario!(commands_and_forwards_for_logins_are_left_out),
    ]
}

fn through_the_router(lab: &Lab, configuration: &str) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let network = &place.network;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    place.configure(configuration)?;
    let direct = network.laptop.command("ssh").args(["-F", "none", "-o", "ConnectTimeout=1", "192.168.1.10"]);
    assert!(!direct.as_user(USER).output(PATIENCE)?.status.success());
    let mut shell = place.shell()?;
    shell.run("moshpunch --no-carry --no-punch inner")?;
    shell.uses_session("server")?;
    ensure!(shell.terminal.screen().contains("20.0.0.1:6000"), "{}", shell.terminal.screen());
    wait_for_empty_table(&network.router, PATIENCE)
}

fn a_host_behind_a_jump_host_is_reached_over_the_mapped_port(lab: &Lab) -> Result<()> {
    through_the_router(lab, "Host inner\n HostName 192.168.1.10\n ProxyJump router\n")
}

fn a_proxy_command_of_ssh_serves(lab: &Lab) -> Result<()> {
    through_the_router(lab, "Host inner\n HostName 192.168.1.10\n ProxyCommand ssh -W %h:%p router\n")
}

fn a_proxy_command_of_another_program_serves(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let relay = "exec 3<>\"/dev/tcp/$1/$2\"\ncat <&3 &\ncat >&3\n";
    place.laptop().write_script("/usr/local/bin/relay", &format!("#!/bin/bash\n{relay}"))?;
    place.configure("Host away\n HostName 20.0.0.1\n ProxyCommand relay %h %p\n")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch away")?;
    shell.uses_session("router")
}

const MULTIPLEXED: &str =
    "Host router\n Port 2222\n ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist 10m\n";

fn masters(place: &Place) -> Result<usize> {
    let is_master = |words: &[String]| words.first().is_some_and(|word| word.contains("[mux]"));
    Ok(place.laptop().processes("ssh")?.iter().filter(|process| is_master(&process.arguments)).count())
}

fn a_master_connection_is_used_and_outlives_the_session(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["PasswordAuthentication yes", "PubkeyAuthentication no"])?;
    place.set_password()?;
    place.configure(MULTIPLEXED)?;
    let mut plain = place.shell()?;
    plain.run("ssh router")?;
    plain.answer("alice@router's password:", PASSWORD)?;
    plain.sees("alice@router:~$")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch router")?;
    shell.uses_session("router")?;
    ensure!(!shell.terminal.screen().contains("password"), "{}", shell.terminal.screen());
    assert_eq!(place.sshd.log().matches("Accepted password").count(), 1);
    assert_eq!(masters(&place)?, 1);
    crate::common::computes(&mut plain.terminal, 6302)
}

fn moshpunch_becomes_no_master(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    place.configure(MULTIPLEXED)?;
    let mut shell = place.shell()?;
    shell.run("moshpunch router")?;
    shell.sees("alice@router:~$")?;
    let sockets = ["/home/alice/.ssh", "-name", "master-*"];
    assert_eq!(place.laptop().command("find").args(sockets).run(PATIENCE)?.stdout, "");
    shell.uses_session("router")?;
    assert_eq!(masters(&place)?, 0);
    wait_until("the end of every ssh", PATIENCE, || {
        Ok(place.laptop().processes("ssh")?.is_empty().then_some(()))
    })
}

fn aliases_and_matches_hold(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["AllowUsers alice"])?;
    let alias = "Host short\n HostName router\n";
    let matched = "Match host router exec \"test -e /tmp/away\"\n Port 2222\n User alice\n";
    place.configure(&format!("{alias}{matched}Host *\n User nobody\n Port 9\n"))?;
    let refused = place.output(&["short"])?;
    ensure!(refused.stderr.contains("moshpunch: nothing answers ssh on short"), "{refused}");
    place.laptop().write_file("/tmp/away", "")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch short")?;
    shell.uses_session("router")
}

fn commands_and_forwards_for_logins_are_left_out(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let forwards = " LocalForward 9001 localhost:22\n ExitOnForwardFailure yes\n";
    place.configure(&format!("Host router\n RemoteCommand tmux new\n RequestTTY yes\n{forwards}"))?;
    let mut holder = place.shell()?;
    holder.run("ssh router -o RemoteCommand=none")?;
    holder.sees("alice@router:~$")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch router")?;
    shell.uses_session("router")
}
