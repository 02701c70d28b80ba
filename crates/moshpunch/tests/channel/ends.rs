//! How a channel ends, and what ends with it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, HostProcess, Lab, Signal, scenario, wait_until};

use crate::common::{AT_ONCE, PATIENCE, end_sessions, keeper, no_moshpunch_is_left, raise, state_files};
use crate::laptop::{Login, NEW, TO_SERVER};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(the_laptop_ends_it_and_the_session_goes_on),
        scenario!(an_ssh_that_is_killed_ends_it),
        scenario!(mosh_servers_end_is_said_and_nothing_is_left),
        scenario!(an_input_that_was_never_open_is_told_as_today),
        scenario!(in_the_background_of_a_terminal_it_is_told_as_today),
        scenario!(the_session_does_not_see_who_asked),
    ]
}

pub(crate) fn server_command(host: &Host) -> Result<Option<HostProcess>> {
    let is_it = |process: &HostProcess| process.arguments.get(1).is_some_and(|word| word == "server");
    Ok(host.processes("moshpunch")?.into_iter().find(is_it))
}

fn no_server_command_is_left(host: &Host) -> Result<()> {
    wait_until("the end of the server command", PATIENCE, || {
        Ok(server_command(host)?.is_none().then_some(()))
    })
}

fn the_laptop_ends_it_and_the_session_goes_on(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        let words = [&[terminal], &TO_SERVER[..]].concat();
        let mut login = Login::open(&network.laptop, &format!("bye{number}"), &words, NEW)?;
        login.session()?;
        login.say("MOSHPUNCH PING 1\n")?;
        login.hears("MOSHPUNCH PONG 1")?;
        login.say("MOSHPUNCH BYE\n")?;
        login.ends()?;
        ensure!(!login.ssh.log().contains("MOSHPUNCH BYE"), "{}", login.ssh.log());
    }
    let mut login = Login::open(&network.laptop, "eof", &[&["-T"], &TO_SERVER[..]].concat(), NEW)?;
    login.session()?;
    login.say("MOSHPUNCH PING 1\n")?;
    login.hears("MOSHPUNCH PONG 1")?;
    login.end_input();
    login.ends()?;
    no_server_command_is_left(&network.server)?;
    ensure!(!network.server.processes("mosh-server")?.is_empty(), "mosh-server has ended");
    end_sessions(&network.server)?;
    no_moshpunch_is_left(&network.server)
}

fn an_ssh_that_is_killed_ends_it(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        let words = [&[terminal], &TO_SERVER[..]].concat();
        let login = Login::open(&network.laptop, &format!("killed{number}"), &words, NEW)?;
        login.session()?;
        login.ssh.signal(Signal::KILL)?;
        no_server_command_is_left(&network.server)?;
    }
    end_sessions(&network.server)
}

fn mosh_servers_end_is_said_and_nothing_is_left(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let login = Login::new_session(&network.laptop)?;
    login.session()?;
    keeper(&network.server)?;
    let files = state_files(&network.server)?;
    ensure!(files.len() == 1 && network.server.read_file(&files[0])?.contains("\"port\":60001"), "{files:?}");
    let mosh_servers = network.server.processes("mosh-server")?;
    end_sessions(&network.server)?;
    login.hears("MOSHPUNCH BYE ended")?;
    login.ends()?;
    for mosh_server in mosh_servers {
        wait_until("somebody to wait for mosh-server", AT_ONCE, || {
            Ok((!Path::new(&format!("/proc/{}", mosh_server.pid)).exists()).then_some(()))
        })?;
    }
    no_moshpunch_is_left(&network.server)?;
    let left = network.server.command("find").args(["/run/user/1000/moshpunch", "-mindepth", "1"]);
    assert_eq!(left.run(PATIENCE)?.stdout, "");
    Ok(())
}

fn an_input_that_was_never_open_is_told_as_today(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let words = [&["-n", "-T"], &TO_SERVER[..]].concat();
    let login = Login::open(&network.laptop, "closed", &words, NEW)?;
    login.ends()?;
    let log = login.ssh.log();
    let told = log.split_once("MOSHPUNCH CHANNEL ").context(log.clone())?.1;
    ensure!(
        told.contains("MOSHPUNCH TROUBLE router mapping ") && told.contains("MOSHPUNCH OFFER 1\n"),
        "{log}"
    );
    end_sessions(&network.server)
}

/// Who sets the terminal's modes there, or reads from it, is stopped.
fn in_the_background_of_a_terminal_it_is_told_as_today(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let command = format!("bash -ic '{NEW} & wait'");
    let words = [&["-tt"], &TO_SERVER[..]].concat();
    let mut login = Login::open(&network.laptop, "background", &words, &command)?;
    login.session()?;
    login.say("MOSHPUNCH PING 1\n")?;
    login.hears("MOSHPUNCH TROUBLE router mapping ")?;
    login.hears("MOSHPUNCH OFFER 1")?;
    login.ends()?;
    end_sessions(&network.server)
}

fn the_session_does_not_see_who_asked(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let script = "#!/bin/sh\nenv >/tmp/seen\nexec /usr/bin/mosh-server \"$@\"\n";
    network.server.write_script("/usr/local/bin/mosh-server", script)?;
    let login = Login::new_session(&network.laptop)?;
    login.session()?;
    let seen = network.server.read_file("/tmp/seen")?;
    ensure!(seen.contains("PATH=") && !seen.contains("MOSHPUNCH"), "{seen}");
    end_sessions(&network.server)
}
