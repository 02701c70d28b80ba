//! What the scenarios share: the network with moshpunch on it, and the two commands of the write-up.
#![allow(dead_code, reason = "each scenario file uses a part")]

pub(crate) mod home;
pub(crate) mod program;
pub(crate) mod secret;
pub(crate) mod world;

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, HostProcess, Lab, Output, Terminal, WriteUp, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take that should happen at once: these machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a login may take among many others at the same router.
const PATIENCE_WITH_A_LOGIN: Duration = Duration::from_secs(90);

/// How long a keeper may take to give back what it asked for: a busy router works on every question before that one.
const PATIENCE_WITH_A_KEEPER: Duration = Duration::from_secs(120);

/// How soon after its session a mapping must be gone: long before its lease ends, but these machines are busy.
pub(crate) const AT_ONCE: Duration = PATIENCE;

/// The write-up's network with moshpunch on every host, as an administrator would install it.
pub(crate) fn raise(lab: &Lab) -> Result<WriteUp> {
    lab.install(&program::path())?;
    let network = WriteUp::raise(lab)?;
    be_patient(&network.server)?;
    Ok(network)
}

/// Many scenarios run at once on few cores; what is promised of time is measured elsewhere.
pub(crate) fn be_patient(server: &Host) -> Result<()> {
    let directory = "/home/alice/.config/moshpunch";
    server.command("mkdir").args(["-p", directory]).as_user(lab::USER).run(PATIENCE)?;
    server.write_file(&format!("{directory}/config.toml"), "[server]\nbudget = 20\n")
}

/// The write-up's first command.
pub(crate) fn mosh_to_router(laptop: &Host) -> Result<Terminal> {
    let mosh = laptop.command("mosh").arg("router").as_user(lab::USER);
    let terminal = laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@router", PATIENCE)?;
    Ok(terminal)
}

/// The write-up's second command.
pub(crate) fn mosh_to_server(laptop: &Host, server_command: &str) -> Result<Terminal> {
    mosh_through(laptop, "router", 8022, server_command)
}

pub(crate) fn mosh_through(
    laptop: &Host,
    router: &str,
    forwarded_port: u16,
    server_command: &str,
) -> Result<Terminal> {
    let (ssh, server) = (format!("--ssh=ssh -p {forwarded_port}"), format!("--server={server_command}"));
    let mosh = laptop.command("mosh").args([&ssh, &server, router]).as_user(lab::USER);
    let terminal = laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@server", PATIENCE_WITH_A_LOGIN)?;
    Ok(terminal)
}

/// Our own client, which is to show the prompt of `server`.
pub(crate) fn moshpunch(laptop: &Host, words: &[&str], server: &str) -> Result<Terminal> {
    let command = laptop.command("moshpunch").args(words).as_user(lab::USER);
    let terminal = laptop.terminal(&command, 24, 80)?;
    terminal.wait_for(&format!("alice@{server}"), PATIENCE)?;
    Ok(terminal)
}

/// Starts a session that no client will join, and gives what ssh printed.
pub(crate) fn server_over_ssh(laptop: &Host, server_command: &str) -> Result<Output> {
    server_over_ssh_within(laptop, server_command, PATIENCE)
}

pub(crate) fn server_over_ssh_within(
    laptop: &Host,
    server_command: &str,
    within: Duration,
) -> Result<Output> {
    let ssh = laptop.command("ssh").args(["-p", "8022", "router", server_command]).as_user(lab::USER);
    ssh.run(within)
}

pub(crate) fn computes(terminal: &mut Terminal, number: u32) -> Result<()> {
    computes_within(terminal, number, PATIENCE)
}

/// Types a command whose result cannot be mistaken for its echo.
pub(crate) fn computes_within(terminal: &mut Terminal, number: u32, within: Duration) -> Result<()> {
    terminal.type_text(&format!("echo =$(({number}*{number}))=\r"))?;
    terminal.wait_for(&format!("={}=", number * number), within)
}

pub(crate) fn leave(mut terminal: Terminal) -> Result<()> {
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success());
    Ok(())
}

/// As [`leave`]; what the terminal shows then.
pub(crate) fn leave_and_read(mut terminal: Terminal) -> Result<String> {
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success());
    terminal.wait_for("the session went over", PATIENCE)?;
    Ok(terminal.screen())
}

pub(crate) fn wait_for_empty_table(router: &Host, within: Duration) -> Result<()> {
    wait_until("an empty lease table", within, || Ok(router.leases()?.is_empty().then_some(())))
}

/// The only process of that name. (A mosh-server that no client has joined yet has two.)
pub(crate) fn process(host: &Host, name: &str) -> Result<HostProcess> {
    only(host, name, |_| true)
}

pub(crate) fn keeper(host: &Host) -> Result<HostProcess> {
    only(host, "moshpunch", |first| first == "--keeper")
}

/// The parent of mosh-client.
pub(crate) fn attendant(host: &Host) -> Result<HostProcess> {
    only(host, "moshpunch", |first| first == "--attend")
}

/// Our own client, which the user has started, and not what it has started of itself.
pub(crate) fn client(host: &Host) -> Result<HostProcess> {
    let words = ["--accompany", "--attend", "--eraser", "--look-up", "--tied", "--watch"];
    only(host, "moshpunch", |first| !words.contains(&first))
}

/// The only process of that name whose first argument is such a one. What has ended, and is not waited for yet, has not
/// even its name among them.
fn only(host: &Host, name: &str, is_wanted: impl Fn(&str) -> bool) -> Result<HostProcess> {
    let mut processes = host.processes(name)?;
    processes.retain(|process| !process.arguments.is_empty());
    processes.retain(|process| is_wanted(process.arguments.get(1).map_or("", String::as_str)));
    ensure!(processes.len() == 1, "one {name} expected: {processes:?}");
    Ok(processes.remove(0))
}

pub(crate) fn no_moshpunch_is_left(host: &Host) -> Result<()> {
    wait_until("the end of every moshpunch process", PATIENCE_WITH_A_KEEPER, || {
        Ok(host.processes("moshpunch")?.is_empty().then_some(()))
    })
}

pub(crate) fn signal(process: &HostProcess, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(process.pid)?);
    Ok(kill_process(pid.expect("a process of a host has a number"), signal)?)
}

pub(crate) fn is_stopped(process: &HostProcess) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    status.contains("State:\tT")
}

/// Kills every mosh-server; one that no client has joined yet is two processes, which end together.
pub(crate) fn end_sessions(host: &Host) -> Result<()> {
    for server in host.processes("mosh-server")? {
        let _already_gone = signal(&server, Signal::KILL);
    }
    Ok(())
}

/// The state files of alice's sessions on `host`.
pub(crate) fn state_files(host: &Host) -> Result<Vec<String>> {
    let list = host.command("find").args(["/run/user/1000/moshpunch", "-type", "f"]).run(PATIENCE)?;
    Ok(list.stdout.lines().map(str::to_owned).collect())
}
