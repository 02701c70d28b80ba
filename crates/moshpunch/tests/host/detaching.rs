//! The connect line is told as soon as it is there; what has to wait for mosh-server to detach still waits.

use std::fs;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Host, Lab, Signal, USER, WriteUp, scenario, wait_until};

use crate::common::{PATIENCE, raise, server_over_ssh, state_files};
use crate::processes::server_command;
use crate::wrappers::put_in_place;

/// Detaches once somebody writes to /tmp/go, and stays until somebody writes to /tmp/end. As mosh-server it ignores a hang-up.
const DETACHES_WHEN_TOLD: &str = r#"
import os, signal, socket
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.bind(("0.0.0.0", 60001))
signal.signal(signal.SIGHUP, signal.SIG_IGN)
print("MOSH CONNECT 60001 AAAAAAAAAAAAAAAAAAAAAA", flush=True)
open("/tmp/go").read()
if os.fork():
    os._exit(0)
nowhere = os.open("/dev/null", os.O_RDWR)
for descriptor in range(3):
    os.dup2(nowhere, descriptor)
open("/tmp/end").read()
"#;

const DIES: &str = "echo 'MOSH CONNECT 60001 AAAAAAAAAAAAAAAAAAAAAA'; exit 3";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(ours_is_told_the_connect_line_before_mosh_server_has_detached).needs(&["python3"]),
        scenario!(so_is_a_stock_client_that_needs_no_mapping).needs(&["python3"]),
        scenario!(who_hangs_up_in_between_leaves_a_session_that_is_kept).needs(&["python3"]),
        scenario!(of_one_that_dies_behind_its_connect_line_is_told),
    ]
}

fn detaches_when_told(host: &Host) -> Result<()> {
    host.write_file("/tmp/later.py", DETACHES_WHEN_TOLD)?;
    host.command("mkfifo").args(["/tmp/go", "/tmp/end"]).as_user(USER).run(PATIENCE)?;
    put_in_place(host, "exec python3 /tmp/later.py")
}

/// Whoever waits for it reads it.
fn write_to(host: &Host, fifo: &str) -> Result<()> {
    let script = format!("echo >{fifo}");
    host.command("sh").args(["-c", &script]).as_user(USER).run(PATIENCE).map(drop)
}

/// What a server command has begun, whose mosh-server has not detached yet.
fn begins(network: &WriteUp, ssh: &[&str]) -> Result<Daemon> {
    let ssh = network.laptop.command("ssh").args(["-p", "8022"]).args(ssh).as_user(USER);
    let ssh = network.laptop.spawn("ssh", &ssh)?;
    ssh.wait_for_log("MOSH CONNECT 60001 ", PATIENCE)?;
    Ok(ssh)
}

fn is_kept_once_it_has_detached(host: &Host) -> Result<()> {
    assert_eq!(state_files(host)?, [""; 0], "it has not detached");
    write_to(host, "/tmp/go")?;
    let file = wait_until("a state file", PATIENCE, || Ok(state_files(host)?.pop()))?;
    let state = host.read_file(&file)?;
    let pids: Vec<_> = host.processes("python3")?.iter().map(|process| process.pid_inside).collect();
    ensure!(pids.iter().any(|pid| state.contains(&format!("\"pid\":{pid},"))), "{pids:?}: {state}");
    write_to(host, "/tmp/end")
}

fn ours_is_told_the_connect_line_before_mosh_server_has_detached(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    detaches_when_told(&network.server)?;
    let ssh = begins(&network, &["router", "moshpunch server --offer new"])?;
    let log = ssh.log();
    let offer = log.find("MOSHPUNCH OFFER 1 host=").context("an offer")?;
    ensure!(log.find("MOSH CONNECT").is_some_and(|line| offer < line), "{log}");
    is_kept_once_it_has_detached(&network.server)
}

fn so_is_a_stock_client_that_needs_no_mapping(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let host = &network.server;
    detaches_when_told(host)?;
    let ssh = host.command("ssh").args(["server", "moshpunch server new"]).as_user(USER);
    let ssh = host.spawn("ssh", &ssh)?;
    ssh.wait_for_log("MOSH CONNECT 60001 ", PATIENCE)?;
    ensure!(server_command(host)?.is_some(), "it has ended before mosh-server has detached");
    write_to(host, "/tmp/go")?;
    ensure!(ssh.wait_exit(PATIENCE)?.success());
    ensure!(!host.processes("python3")?.is_empty(), "its mosh-server has ended with it");
    write_to(host, "/tmp/end")
}

fn who_hangs_up_in_between_leaves_a_session_that_is_kept(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let host = &network.server;
    detaches_when_told(host)?;
    let ssh = begins(&network, &["-tt", "router", "moshpunch server --offer new"])?;
    let server = server_command(host)?.context("the server command has ended")?;
    ssh.signal(Signal::KILL)?;
    wait_until("a hang-up that is put off", PATIENCE, || {
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid))?;
        let pending =
            status.lines().filter(|line| line.starts_with("SigPnd:") || line.starts_with("ShdPnd:"));
        Ok(pending.into_iter().any(|line| line.ends_with('1')).then_some(()))
    })?;
    is_kept_once_it_has_detached(host)
}

fn of_one_that_dies_behind_its_connect_line_is_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    put_in_place(&network.server, DIES)?;
    let cause = "no process of yours has mosh-server's port 60001";
    let ours = server_over_ssh(&network.laptop, "moshpunch server --offer new 2>&1")?;
    let (before, after) = ours.stdout.split_once("MOSH CONNECT 60001 ").context("a connect line")?;
    ensure!(before.contains("MOSHPUNCH OFFER 1 more\n"), "{ours}");
    ensure!(after.contains(cause) && after.ends_with("MOSHPUNCH OFFER 1\n"), "{ours}");
    let stock = server_over_ssh(&network.laptop, "moshpunch server new 2>&1")?;
    let (before, _) = stock.stdout.split_once("MOSH CONNECT 60001 ").context("a connect line")?;
    ensure!(before.contains(cause), "{stock}");
    Ok(())
}
