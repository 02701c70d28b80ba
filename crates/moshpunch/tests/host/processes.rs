//! What runs on the host, and what is left of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Host, HostProcess, Lab, Signal, USER, WriteUp, scenario, wait_until};

use rustix::process::{Pid, kill_process};

use crate::common::{
    AT_ONCE, PATIENCE, end_sessions, keeper, raise, server_over_ssh, signal, state_files,
    wait_for_empty_table,
};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_keeper_is_called_moshpunch_and_tells_its_session),
        scenario!(what_the_server_command_has_adopted_leaves_no_zombie),
        scenario!(what_begins_later_is_not_adopted),
        scenario!(a_mosh_server_that_nobody_waits_for_has_ended),
    ]
}

fn a_keeper_is_called_moshpunch_and_tells_its_session(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    server_over_ssh(&network.laptop, "moshpunch server new")?;
    let keeper = keeper(&network.server)?;
    let files = state_files(&network.server)?;
    let session = files[0].rsplit('/').next().and_then(|file| file.split('.').next()).context("a name")?;
    assert_eq!(keeper.arguments, ["moshpunch", "--keeper", session]);
    end_sessions(&network.server)
}

/// A server command that lives as long as it may: no gateway answers our own client.
fn waiting_server(network: &WriteUp) -> Result<(Daemon, HostProcess)> {
    let ssh = network.laptop.command("ssh").args(["-p", "8022", "router", "moshpunch server --offer new"]);
    let ssh = network.laptop.spawn("ssh", &ssh.as_user(USER))?;
    ssh.wait_for_log("MOSH CONNECT 60001 ", PATIENCE)?;
    // Its keeper knows mosh-server, which has detached then.
    wait_until("a state file", PATIENCE, || Ok(state_files(&network.server)?.pop()))?;
    let server = server_command(&network.server)?.context("the server command has ended")?;
    Ok((ssh, server))
}

pub(crate) fn server_command(host: &Host) -> Result<Option<HostProcess>> {
    let is_it = |process: &HostProcess| process.arguments.get(1).is_some_and(|word| word == "server");
    Ok(host.processes("moshpunch")?.into_iter().find(is_it))
}

fn stays_as(server: &HostProcess, host: &Host) -> Result<()> {
    ensure!(server_command(host)?.as_ref() == Some(server), "{server:?} has ended meanwhile");
    Ok(())
}

fn what_the_server_command_has_adopted_leaves_no_zombie(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    // Its child is adopted, too.
    let beside = "#!/bin/sh\nsleep 300 & exec /usr/bin/mosh-server \"$@\"\n";
    network.server.write_script("/usr/local/bin/mosh-server", beside)?;
    let (_ssh, server) = waiting_server(&network)?;
    for sleep in network.server.processes("sleep")? {
        signal(&sleep, Signal::KILL)?;
        is_waited_for(&sleep, PATIENCE)?;
    }
    stays_as(&server, &network.server)?;
    let mosh_servers = network.server.processes("mosh-server")?;
    end_sessions(&network.server)?;
    mosh_servers.iter().try_for_each(|mosh_server| is_waited_for(mosh_server, AT_ONCE))
}

/// A zombie is there as well.
fn is_waited_for(process: &HostProcess, within: Duration) -> Result<()> {
    let pid = i32::try_from(process.pid)?;
    wait_until("somebody to wait for it", within, || Ok((!is_there(pid)).then_some(())))
}

fn what_begins_later_is_not_adopted(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let host = &network.server;
    host.command("mkfifo").arg("/tmp/go").as_user(USER).run(PATIENCE)?;
    let later = "(read -r go </tmp/go; (sleep 300 </dev/null >/dev/null 2>&1 &) )";
    let script = format!("#!/bin/sh\n{later} >/dev/null 2>&1 & exec /usr/bin/mosh-server \"$@\"\n");
    host.write_script("/usr/local/bin/mosh-server", &script)?;
    let (_ssh, server) = waiting_server(&network)?;
    host.command("sh").args(["-c", "echo >/tmp/go"]).as_user(USER).run(PATIENCE)?;
    let parent = wait_until("an orphan", PATIENCE, || {
        let sleep = host.processes("sleep")?.pop();
        // Until the end of its own parent, which goes by the script's name.
        Ok(sleep.and_then(|sleep| parent(sleep.pid)).filter(|parent| name(*parent) != "mosh-server"))
    })?;
    ensure!(parent != server.pid, "it was adopted");
    stays_as(&server, host)?;
    end_sessions(host)
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:\t"))?.parse().ok()
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// As in a container whose first process reaps nobody.
fn a_mosh_server_that_nobody_waits_for_has_ended(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let user = "setpriv --reuid=alice --regid=alice --clear-groups env HOME=/home/alice LC_ALL=C.UTF-8";
    let first = format!("{user} moshpunch server new & exec sleep 1000");
    let container = ["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &first];
    let container = network.server.spawn("container", &network.server.command("unshare").args(container))?;
    container.wait_for_log("MOSH CONNECT 60001 ", PATIENCE)?;
    assert_eq!(network.router.leases()?.len(), 1);
    let servers = inside(&container, "mosh-server")?;
    for server in &servers {
        kill_process(Pid::from_raw(*server).context("a number")?, Signal::KILL)?;
    }
    wait_for_empty_table(&network.router, PATIENCE)?;
    ensure!(servers.iter().any(|server| is_zombie(*server)), "somebody has waited for it");
    let keeper_has_ended = || Ok(inside(&container, "moshpunch")?.is_empty().then_some(()));
    wait_until("the end of the keeper", PATIENCE, keeper_has_ended)
}

/// The processes of that name in the container that have not ended, as seen from outside.
fn inside(container: &Daemon, wanted: &str) -> Result<Vec<i32>> {
    let namespace = fs::read_link(format!("/proc/{}/ns/pid_for_children", container.pid()))?;
    let pids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_inside = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|other| other == namespace)
            && name(pid.unsigned_abs()) == wanted
            && !is_zombie(*pid)
    };
    Ok(pids.filter(is_inside).collect())
}

fn is_there(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn is_zombie(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.contains("State:\tZ")
}
