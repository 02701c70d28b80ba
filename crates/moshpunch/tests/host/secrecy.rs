//! The session's key passes through the server command, and is in no core, log or memory of it afterwards.

use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{HostProcess, Lab, USER, WriteUp, scenario};

use crate::common::secret::is_in_memory;
use crate::common::{PATIENCE, end_sessions, keeper, raise, server_over_ssh};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(what_has_seen_the_key_leaves_no_core_and_has_forgotten_it),
        scenario!(only_the_user_can_read_the_log),
    ]
}

fn what_has_seen_the_key_leaves_no_core_and_has_forgotten_it(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let ssh = network.laptop.command("ssh").args(["-p", "8022", "router", "moshpunch server --offer new"]);
    let ssh = network.laptop.spawn("ssh", &ssh.as_user(USER))?;
    ssh.wait_for_log("[mosh-server detached", PATIENCE)?;
    let log = ssh.log();
    let key = log.split("MOSH CONNECT 60001 ").nth(1).and_then(|rest| rest.get(..22)).context("a key")?;
    let is_server = |process: &HostProcess| process.arguments.get(1).is_some_and(|word| word == "server");
    let server = network.server.processes("moshpunch")?.into_iter().find(is_server);
    let server = server.context("the server command waits for a gateway")?;
    ensure!(!is_in_memory(server.pid, key)?, "the server command remembers the key");
    ensure!(!leaves_core(server.pid)?, "the server command leaves a core");
    // Both would be seen.
    ensure!(is_in_memory(std::process::id(), key)?);
    ensure!(leaves_core(keeper(&network.server)?.pid)?);
    end_sessions(&network.server)
}

/// The kernel gives what belongs to a process that must leave none to root (proc_pid(5)).
fn leaves_core(pid: u32) -> Result<bool> {
    Ok(std::fs::metadata(format!("/proc/{pid}/environ"))?.uid() == 1000)
}

fn only_the_user_can_read_the_log(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    server_over_ssh(&network.laptop, "moshpunch server --log /tmp/keeper.log new")?;
    let mode = network.server.command("stat").args(["-c", "%a %U", "/tmp/keeper.log"]).run(PATIENCE)?;
    assert_eq!(mode.stdout, "600 alice\n");
    end_sessions(&network.server)
}
