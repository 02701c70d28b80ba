//! Real programs between hosts: ssh, mosh.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Lab, USER, WriteUp, scenario};

const LIMIT: Duration = Duration::from_secs(30);

fn ssh_reaches_router_and_server_without_prompts(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let ssh = || network.laptop.command("ssh").as_user(USER);
    assert_eq!(ssh().args(["router", "hostname"]).run(LIMIT)?.stdout, "router\n");
    assert_eq!(ssh().args(["-p", "8022", "router", "hostname"]).run(LIMIT)?.stdout, "server\n");
    Ok(())
}

fn an_installed_program_is_found_by_a_login(lab: &Lab) -> Result<()> {
    lab.install(Path::new(env!("CARGO_BIN_EXE_lab")))?;
    let network = WriteUp::raise(lab)?;
    let login = network.laptop.command("ssh").args(["-p", "8022", "router", "lab --version"]).as_user(USER);
    assert_eq!(login.run(LIMIT)?.stdout, concat!("lab ", env!("CARGO_PKG_VERSION"), "\n"));
    Ok(())
}

fn stock_mosh_to_the_router_is_typed_into_and_read(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let mosh = network.laptop.command("mosh").arg("router").as_user(USER);
    let mut terminal = network.laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@router", LIMIT)?;
    terminal.type_text("echo $((6*7))\r")?;
    terminal.wait_for("\n42\n", LIMIT)?;
    assert_eq!(network.router.processes("mosh-server")?.len(), 1);
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(LIMIT)?.success());
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(ssh_reaches_router_and_server_without_prompts).needs(&["ssh", "sshd"]),
        scenario!(an_installed_program_is_found_by_a_login).needs(&["ssh", "sshd"]),
        scenario!(stock_mosh_to_the_router_is_typed_into_and_read).needs(&["mosh", "sshd"]),
    ])
}
