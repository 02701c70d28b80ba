//! Sessions through the router: real mosh, real ssh, real miniupnpd.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, Terminal, WriteUp, scenario, wait_until};

const PATIENCE: Duration = Duration::from_secs(15);

/// The write-up's network with moshpunch on every host, as an administrator would install it.
fn raise(lab: &Lab) -> Result<WriteUp> {
    lab.install(Path::new(env!("CARGO_BIN_EXE_moshpunch")))?;
    WriteUp::raise(lab)
}

/// The write-up's second command.
fn mosh_to_server(laptop: &Host, server_command: &str) -> Result<Terminal> {
    let mosh = laptop
        .command("mosh")
        .args(["--ssh=ssh -p 8022", &format!("--server={server_command}"), "router"])
        .as_user(lab::USER);
    let mut terminal = laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@server", PATIENCE)?;
    Ok(terminal)
}

fn mosh_to_router(laptop: &Host) -> Result<Terminal> {
    let mosh = laptop.command("mosh").arg("router").as_user(lab::USER);
    let mut terminal = laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@router", PATIENCE)?;
    Ok(terminal)
}

/// Types a command whose result cannot be mistaken for its echo.
fn computes(terminal: &mut Terminal) -> Result<()> {
    terminal.type_text("echo $((6*7))$((6*7))\r")?;
    terminal.wait_for("4242", PATIENCE)
}

fn leave(mut terminal: Terminal) -> Result<()> {
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success());
    Ok(())
}

fn table_is_empty(router: &Host) -> Result<()> {
    wait_until("an empty lease table", PATIENCE, || Ok(router.leases()?.is_empty().then_some(())))
}

fn the_write_ups_two_commands_work_at_the_same_time(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let mut to_router = mosh_to_router(&network.laptop)?;
    let mut to_server = mosh_to_server(&network.laptop, "moshpunch server")?;
    computes(&mut to_router)?;
    computes(&mut to_server)?;
    let leases = network.router.leases()?;
    assert_eq!(leases.len(), 1, "{leases:?}");
    assert!(leases[0].description.starts_with("moshpunch alice@server "), "{leases:?}");
    leave(to_server)?;
    table_is_empty(&network.router)?;
    leave(to_router)
}

fn main() -> ExitCode {
    lab::harness::run([scenario!(the_write_ups_two_commands_work_at_the_same_time)
        .needs(&["mosh", "sshd", "miniupnpd"])])
}
