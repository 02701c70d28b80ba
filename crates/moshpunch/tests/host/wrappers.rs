//! Programs in mosh-server's place: the session begins at its connect line, and its process is the one with the port.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Terminal, WriteUp, scenario};

use crate::common::{
    AT_ONCE, PATIENCE, computes, end_sessions, leave, mosh_to_server, moshpunch, process, raise,
    server_over_ssh, state_files, wait_for_empty_table,
};

/// None of them ends by itself while a scenario lasts.
const STAYING: [&str; 5] = [
    "sleep 300 & exec /usr/bin/mosh-server \"$@\"",
    "/usr/bin/mosh-server \"$@\"; sleep 300",
    "/usr/bin/mosh-server \"$@\"; exec >&- 2>&-; sleep 300",
    "/usr/bin/mosh-server \"$@\"; while :; do echo more; done",
    "/usr/bin/mosh-server \"$@\" & sleep 300",
];

const LEAVING_OTHERS: [&str; 7] = [
    "eval \"$(ssh-agent -s)\" >/dev/null; exec /usr/bin/mosh-server \"$@\"",
    "setsid sleep 300 </dev/null >/dev/null 2>&1 & exec /usr/bin/mosh-server \"$@\"",
    "/usr/bin/mosh-server \"$@\" | tee /dev/null",
    "answer=$(/usr/bin/mosh-server \"$@\"); printf '%s\\n' \"$answer\"; exit 3",
    "setsid --wait /usr/bin/mosh-server \"$@\"",
    "setsid --fork /usr/bin/mosh-server \"$@\"",
    "/usr/bin/mosh-server \"$@\" & exit 0",
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(the_session_begins_at_the_connect_line),
        scenario!(without_a_terminal_it_begins_there_too),
        scenario!(whatever_else_is_started_the_owner_of_the_port_is_kept),
        scenario!(a_verbose_mosh_server_is_found_too),
    ]
}

pub(crate) fn put_in_place(host: &Host, script: &str) -> Result<()> {
    host.write_script("/usr/local/bin/mosh-server", &format!("#!/bin/sh\n{script}\n"))
}

/// Without a channel, at whose end a wrapper is hung up.
fn ours(network: &WriteUp) -> Result<Terminal> {
    moshpunch(&network.laptop, &["--no-carry", "--no-punch", "--ssh=ssh -p 8022", "router"], "server")
}

fn the_session_begins_at_the_connect_line(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    for script in STAYING {
        put_in_place(&network.server, script)?;
        is_kept(&network, mosh_to_server(&network.laptop, "moshpunch server")).context(script)?;
        is_kept(&network, ours(&network)).context(script)?;
    }
    Ok(())
}

fn without_a_terminal_it_begins_there_too(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for script in STAYING.into_iter().chain(LEAVING_OTHERS) {
        put_in_place(&network.server, script)?;
        let output = server_over_ssh(&network.laptop, "moshpunch server new -i 127.0.0.1").context(script)?;
        ensure!(output.stdout.contains("MOSH CONNECT 60001 "), "{script}: {output}");
        end_sessions(&network.server)?;
        network.server.command("sh").args(["-c", "kill $(pidof sleep)"]).output(PATIENCE)?;
    }
    Ok(())
}

fn whatever_else_is_started_the_owner_of_the_port_is_kept(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    for script in LEAVING_OTHERS {
        put_in_place(&network.server, script)?;
        is_kept(&network, mosh_to_server(&network.laptop, "moshpunch server")).context(script)?;
        is_kept(&network, ours(&network)).context(script)?;
    }
    Ok(())
}

fn a_verbose_mosh_server_is_found_too(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    is_kept(&network, mosh_to_server(&network.laptop, "moshpunch server new -v -@"))
}

/// The keeper looks after the process that has the session, and releases the mapping at its end.
fn is_kept(network: &WriteUp, terminal: Result<Terminal>) -> Result<()> {
    let mut terminal = terminal?;
    computes(&mut terminal, 3101)?;
    let screen = terminal.screen();
    ensure!(!screen.contains("moshpunch:"), "{screen}");
    assert_eq!(network.router.leases()?.len(), 1);
    let files = state_files(&network.server)?;
    let [file] = &files[..] else { anyhow::bail!("one state file expected: {files:?}") };
    let state = network.server.read_file(file)?;
    let server = process(&network.server, "mosh-server")?;
    ensure!(state.contains(&format!("\"pid\":{},", server.pid_inside)), "{server:?}: {state}");
    leave(terminal)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}
