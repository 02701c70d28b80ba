//! As a service: its rights, and what it tells its manager.

use std::os::unix::net::UnixDatagram;

use anyhow::{Context, Result, ensure};
use lab::{Lab, Signal};

use crate::common::{PATIENCE, computes};
use crate::home::Home;

const GUARD: [&str; 5] = ["moshpunch", "router", "guard", "--miniupnpd-conf", "/etc/miniupnpd/lab.conf"];

pub(crate) fn the_manager_is_told_when_it_serves_and_when_it_ends(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let manager = home.router.inside(|| Ok(UnixDatagram::bind("/run/manager.socket")?))?;
    manager.set_read_timeout(Some(PATIENCE))?;
    let told = || -> Result<String> {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).context("the guard tells its manager nothing")?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    let command = home.router.command(GUARD[0]).args(&GUARD[1..]).env("NOTIFY_SOCKET", "/run/manager.socket");
    let guard = home.router.spawn("guard", &command)?;
    assert_eq!(told()?, "READY=1\nSTATUS=0 of 0 mapped UDP ports held\n");
    home.open_on_server(0, &[], &[])?;
    assert_eq!(told()?, "STATUS=1 of 1 mapped UDP ports held\n");
    guard.signal(Signal::TERM)?;
    assert_eq!(told()?, "STOPPING=1\n");
    ensure!(guard.wait_exit(PATIENCE)?.success(), "{}", guard.log());
    Ok(())
}

/// As the unit runs it: nobody in particular, with one capability and no way to more.
pub(crate) fn one_capability_is_all_it_needs(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let rights = ["--inh-caps", "+net_admin", "--ambient-caps", "+net_admin", "--bounding-set"];
    let command = home.router.command("setpriv").args(["--reuid", "nobody", "--regid", "nogroup"]);
    let command = command.args(["--clear-groups", "--no-new-privs"]).args(rights);
    let command = command.arg("-all,+net_admin").args(GUARD).arg("--hairpin");
    let guard = home.router.spawn("guard", &command)?;
    guard.wait_for_log("guarding: 0 of 0", PATIENCE)?;
    let session = home.open_on_server(0, &[], &[])?;
    home.wait_until_held(session.port)?;
    computes(&mut home.join(&session)?, 2001)?;
    guard.signal(Signal::TERM)?;
    ensure!(guard.wait_exit(PATIENCE)?.success(), "{}", guard.log());
    ensure!(!home.router.nft_ruleset()?.contains("moshpunch_guard"));
    Ok(())
}

pub(crate) fn systemd_accepts_the_unit(lab: &Lab) -> Result<()> {
    let unit = include_str!("../../../../packaging/moshpunch-guard.service");
    let home = Home::raise(lab)?;
    home.router.write_file("/run/moshpunch-guard.service", unit)?;
    let verify = home.router.command("systemd-analyze").args(["verify", "/run/moshpunch-guard.service"]);
    let output = verify.run(PATIENCE)?;
    ensure!(!output.stderr.contains("moshpunch-guard"), "{output}");
    // Else its manager gives it up after five starts in ten seconds (systemd.unit(5)).
    ensure!(unit.lines().any(|line| line == "StartLimitIntervalSec=0"), "{unit}");
    Ok(())
}

/// As an editor of before leaves it.
pub(crate) fn a_configuration_with_a_latin_1_comment_is_read(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    home.router.inside(|| {
        let path = "/etc/miniupnpd/lab.conf";
        let written = std::fs::read(path)?;
        Ok(std::fs::write(path, [b"# f\xfcr zuhause\n", &written[..]].concat())?)
    })?;
    let _guard = home.guard(&[])?;
    Ok(())
}

pub(crate) fn a_configuration_without_a_lease_file_is_told_with_the_cure(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    for (file, expected) in [
        ("ext_ifname=wan0\n", "has no lease_file, which tells what is mapped; add lease_file="),
        ("lease_file=/x/y\n", "ext_ifname is not set"),
    ] {
        home.router.write_file("/etc/miniupnpd/lab.conf", file)?;
        let output = home.router.command(GUARD[0]).args(&GUARD[1..]).output(PATIENCE)?;
        ensure!(!output.status.success() && output.stderr.contains(expected), "{output}");
    }
    let output = home.router.command("moshpunch").args(["router", "guard"]).output(PATIENCE)?;
    ensure!(output.stderr.contains("/etc/miniupnpd/miniupnpd.conf"), "{output}");
    Ok(())
}
