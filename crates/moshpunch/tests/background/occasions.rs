//! When a login in the background is tried, and when it is not.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER, scenario, wait_until};

use crate::common::PATIENCE;
use crate::place::{CONFIGURATION, PASSWORD, QUIT};
use crate::silence::{Session, Way, by_each_way};

const BY_PASSWORD: [&str; 2] = ["PasswordAuthentication yes", "PubkeyAuthentication no"];
const ASKED: &str = "alice@router's password:";
const REFUSED: &str = "Connection closed by authenticating user";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let by_each_way = [
        by_each_way!(another_program_than_openssh_is_refused_once)
            .map(|scenario| scenario.needs(&["dbclient"])),
        by_each_way!(after_a_refusal_the_network_must_change_first),
        by_each_way!(after_an_unknown_host_key_the_network_must_change_first),
        by_each_way!(a_configuration_that_may_not_be_read_is_no_obstacle),
        by_each_way!(an_agent_that_asks_is_not_asked_for_long).map(|scenario| scenario.needs(&["ssh-agent"])),
    ];
    let by_one = [scenario!(another_program_than_openssh_is_called_for_logins_alone)];
    by_each_way.into_iter().flatten().chain(by_one).collect()
}

fn wait_for_refusals(session: &Session, number: usize) -> Result<()> {
    let refused = || Ok((session.place.sshd.log().matches(REFUSED).count() == number).then_some(()));
    wait_until(&format!("{number} refused logins"), PATIENCE, refused)
}

fn after_a_refusal_the_network_must_change_first(lab: &Lab, way: Way) -> Result<()> {
    let mut session = Session::prepare(lab, way, &BY_PASSWORD, "Host router\n Port 2222\n LogLevel QUIET\n")?;
    session.run("moshpunch router")?;
    session.shell.answer(ASKED, PASSWORD)?;
    session.begins_on("router")?;
    session.falls_silent()?;
    session.waits_for_alarm(3)?;
    assert_eq!(session.place.sshd.log().matches(REFUSED).count(), 1, "{}", session.place.sshd.log());
    session.place.laptop().readdress("eth0", &["20.0.0.19/24"], &[])?;
    wait_for_refusals(&session, 2)?;
    session.waits_for_alarm(session.alarms() + 1)?;
    assert_eq!(session.place.sshd.log().matches(REFUSED).count(), 2, "{}", session.place.sshd.log());
    session.shell.terminal.type_text(QUIT)?;
    session.shell.sees("the session went over")
}

/// As where the host was installed anew during the session.
fn after_an_unknown_host_key_the_network_must_change_first(lab: &Lab, way: Way) -> Result<()> {
    let mut session = Session::prepare(lab, way, &[], "Host router\n Port 2222\n")?;
    session.run("moshpunch router")?;
    session.begins_on("router")?;
    session.place.configure("Host router\n Port 2222\n GlobalKnownHostsFile /dev/null\n")?;
    session.falls_silent()?;
    session.waits_for_alarm(3)?;
    let log = session.place.sshd.log();
    let refused =
        |line: &&str| line.starts_with("Connection closed by 20.0.0.9") && line.ends_with("[preauth]");
    assert_eq!(log.lines().filter(refused).count(), 1, "{log}");
    session.shell.terminal.type_text(QUIT)?;
    session.shell.sees("the session went over")
}

fn another_program_than_openssh_is_called_for_logins_alone(lab: &Lab) -> Result<()> {
    let mut session = Session::prepare(lab, Way::Udp, &[], "Host gw\n HostName router\n Port 2222\n")?;
    let through = "#!/bin/bash\necho \"$*\" >>/tmp/calls\nexec ssh -tt gw ssh \"${@@Q}\"\n";
    session.place.laptop().write_script("/usr/local/bin/through", through)?;
    session.run("moshpunch --ssh=through --experimental-remote-ip=remote 192.168.1.10")?;
    session.begins_on("server")?;
    session.falls_silent()?;
    session.waits_for_alarm(3)?;
    let calls = || session.place.laptop().read_file("/tmp/calls");
    wait_until("the third login of the silence", PATIENCE, || {
        Ok((calls()?.matches("server offer").count() == 3).then_some(()))
    })?;
    let calls = calls()?;
    ensure!(calls.lines().count() == 4 && !calls.contains("-G "), "{calls}");
    session.is_heard_again()?;
    session.shell.run("exit")?;
    session.shell.is_back("0")
}

/// It cannot ask on a terminal, and would take the end of stdin for an empty password.
fn another_program_than_openssh_is_refused_once(lab: &Lab, way: Way) -> Result<()> {
    let mut session = Session::prepare(lab, way, &BY_PASSWORD, "")?;
    let dropbears = "--ssh='dbclient -y -p 2222' --experimental-remote-ip=remote";
    session.run(&format!("moshpunch --no-ssh-pty {dropbears} router"))?;
    session.shell.answer(ASKED, PASSWORD)?;
    session.begins_on("router")?;
    session.falls_silent()?;
    session.waits_for_alarm(3)?;
    let log = session.place.sshd.log();
    assert_eq!(log.matches("Connection from ").count(), 2, "{log}");
    ensure!(!log.contains("Failed password"), "{log}");
    session.shell.terminal.type_text(QUIT)?;
    session.shell.sees("the session went over")
}

/// ssh passes over it.
fn a_configuration_that_may_not_be_read_is_no_obstacle(lab: &Lab, way: Way) -> Result<()> {
    let mut session = Session::prepare(lab, way, &[], "")?;
    session.place.laptop().command("chown").args(["root:", CONFIGURATION]).run(PATIENCE)?;
    session.run("moshpunch --ssh='ssh -p 2222' router")?;
    session.begins_on("router")?;
    session.falls_silent()?;
    let served =
        || Ok((session.place.sshd.log().matches("Starting session: command").count() == 2).then_some(()));
    wait_until("a login in the background", PATIENCE, served).with_context(|| session.log())?;
    session.is_heard_again()?;
    session.shell.run("exit")?;
    session.shell.is_back("0")
}

/// Only the first login's question is answered.
fn an_agent_that_asks_is_not_asked_for_long(lab: &Lab, way: Way) -> Result<()> {
    let mut session =
        Session::prepare(lab, way, &[], "Host router\n Port 2222\n IdentityAgent /tmp/agent\n")?;
    let confirms = "#!/bin/sh\necho asked >>/tmp/asked\n[ $(wc -l </tmp/asked) = 1 ] || exec sleep 1000\n";
    let laptop = session.place.laptop();
    laptop.write_script("/usr/local/bin/confirms", confirms)?;
    let agent = laptop.command("ssh-agent").args(["-D", "-a", "/tmp/agent"]).as_user(USER);
    let agent = agent.env("SSH_ASKPASS", "confirms").env("SSH_ASKPASS_REQUIRE", "force");
    let agent = laptop.spawn("ssh-agent", &agent)?;
    agent.wait_for_log("SSH_AUTH_SOCK", PATIENCE)?;
    let key = "cd .ssh; SSH_AUTH_SOCK=/tmp/agent ssh-add -c id_ed25519 && rm id_ed25519";
    laptop.command("sh").args(["-c", key]).as_user(USER).run(PATIENCE)?;
    session.run("moshpunch router")?;
    session.begins_on("router")?;
    session.falls_silent()?;
    session.waits_for_alarm(4)?;
    session.place.laptop().readdress("eth0", &["20.0.0.19/24"], &[])?;
    let logins = || Ok((session.place.sshd.log().matches("Connection from ").count() == 5).then_some(()));
    wait_until("the first login, three more, and one in the other network", PATIENCE, logins)?;
    session.shell.terminal.type_text(QUIT)?;
    session.shell.sees("the session went over")
}
