//! Which hosts map ports for others, so that sessions of theirs are where miniupnpd sees them.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, USER, scenario, wait_until};

use crate::common::{PATIENCE, end_sessions, raise};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(only_what_root_listens_on_here_makes_a_host_a_router)]
}

fn serves_every_address(host: &Host) -> Result<bool> {
    let server = host.command("moshpunch").args(["server", "--offer", "new"]).env("LC_ALL", "C.UTF-8");
    let output = server.as_user(USER).run(PATIENCE)?;
    let line = output.stdout.lines().find_map(|line| line.strip_prefix("MOSH CONNECT "));
    let port = line.and_then(|rest| rest.split(' ').next()).context("a connect line")?;
    let socket = format!(" 00000000000000000000000000000000:{:X} ", port.parse::<u16>()?);
    Ok(host.command("cat").arg("/proc/net/udp6").run(PATIENCE)?.stdout.contains(&socket))
}

fn only_what_root_listens_on_here_makes_a_host_a_router(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let host = &network.server;
    // So that nothing is waited for.
    host.command("ip").args(["route", "delete", "default"]).run(PATIENCE)?;
    ensure!(serves_every_address(host)?);
    for file in ["/etc/miniupnpd/miniupnpd.conf", "/etc/config/upnpd", "/run/miniupnpd.pid"] {
        host.command("install").args(["-D", "/dev/null", file]).run(PATIENCE)?;
    }
    ensure!(serves_every_address(host)?, "files decide nothing");
    host.write_script("/usr/local/bin/miniupnpd", "#!/bin/sh\nread -r end </tmp/end\n")?;
    host.command("mkfifo").arg("/tmp/end").as_user(USER).run(PATIENCE)?;
    let _named = host.spawn("miniupnpd", &host.command("miniupnpd"))?;
    ensure!(serves_every_address(host)?, "names decide nothing");
    let of_a_user = ["new", "-p", "5351"];
    let of_a_user = host.command("mosh-server").args(of_a_user).env("LC_ALL", "C.UTF-8").as_user(USER);
    of_a_user.run(PATIENCE)?;
    ensure!(serves_every_address(host)?, "users decide nothing");
    end_sessions(host)?;
    wait_until("the end of all sessions", PATIENCE, || {
        Ok(host.processes("mosh-server")?.is_empty().then_some(()))
    })?;
    for address in ["0.0.0.0:5351", "[::]:5351", "0.0.0.0:1900", "192.168.1.10:1900"] {
        let _of_root = host.udp(address)?;
        ensure!(!serves_every_address(host)?, "{address}");
    }
    let _notifications = host.udp("239.255.255.250:1900")?;
    ensure!(serves_every_address(host)?, "who hears a group serves nobody");
    end_sessions(host)
}
