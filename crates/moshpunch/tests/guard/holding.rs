//! What is held, against whom, and what becomes of a port that somebody has already.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, wait_until};

use crate::common::{PATIENCE, computes, end_sessions, leave, process, signal};
use crate::home::{HELD_WITHIN, Home};

/// Enough renewals of a lease of two seconds to have them while something else happens.
const RENEWALS: usize = 4;

pub(crate) fn mosh_server_skips_a_held_port_however_it_binds(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&[])?;
    let session = home.open_on_server(0, &["--lease", "2"], &[])?;
    assert_eq!(session.port, 60001);
    home.wait_until_held(60001)?;
    for bind in [&["-s"][..], &[], &["-i", "0.0.0.0"], &["-i", "::"], &["-i", "192.168.1.1"]] {
        let own = home.open_on_router(bind)?;
        assert_eq!(own.port, 60002, "{bind:?}");
        end_sessions(&home.router)?;
        home.wait_until_free(60002)?;
    }
    // And miniupnpd takes the port for free all the while.
    wait_for_renewals(&home.router)?;
    let mut terminal = home.join(&session)?;
    computes(&mut terminal, 1701)?;
    leave(terminal)?;
    home.wait_until_free(60001)
}

pub(crate) fn wait_for_renewals(router: &Host) -> Result<()> {
    let mut expiries = Vec::new();
    wait_until("renewals", Duration::from_secs(60), || {
        let seen = router.leases()?.first().map(|lease| lease.expires);
        if expiries.last() != seen.as_ref() {
            expiries.extend(seen);
        }
        Ok((expiries.len() > RENEWALS).then_some(()))
    })
}

/// miniupnpd asks, and moshpunch takes the next.
pub(crate) fn a_port_of_the_routers_own_mosh_server_is_mapped_to_nobody(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&[])?;
    let own = home.open_on_router(&["-s"])?;
    let other = ["-e", "a game", "-a", "192.168.1.11", "60002", "60002", "UDP", "600"];
    home.servers[1].command("upnpc").args(other).run(PATIENCE)?;
    let of_server = home.open_on_server(0, &[], &[])?;
    assert_eq!((own.port, of_server.port), (60001, 60003));
    computes(&mut home.join(&own)?, 1702)?;
    computes(&mut home.join(&of_server)?, 1703)
}

pub(crate) fn a_port_that_somebody_has_is_told_and_held_once_it_is_free(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let of_server = home.open_on_server(0, &[], &[])?;
    let own = home.open_on_router(&["-s"])?;
    assert_eq!(of_server.port, own.port, "as it is without the guard");
    let guard = home.guard(&[])?;
    let told =
        format!("UDP port {} leads to 192.168.1.10:60001, and a program of this router has it too", own.port);
    guard.wait_for_log(&told, PATIENCE)?;
    guard.wait_for_log("0 of 1 mapped UDP ports held", PATIENCE)?;
    end_sessions(&home.router)?;
    guard.wait_for_log(&format!("UDP port {} is held now", own.port), HELD_WITHIN)?;
    assert_eq!(guard.log().matches("has it too").count(), 1, "{}", guard.log());
    assert_eq!(home.open_on_router(&["-s"])?.port, 60002);
    Ok(())
}

/// A session of the router's own on its inside address is in nobody's way, and does not hinder the guard.
pub(crate) fn beside_a_session_on_the_inside_address_the_outside_one_is_held(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&[])?;
    assert_eq!(home.open_on_router(&["-i", "192.168.1.1"])?.port, 60001);
    let of_server = home.open_on_server(0, &["--lease", "2"], &[])?;
    assert_eq!(of_server.port, 60001);
    wait_until("the outside address to be held", HELD_WITHIN, || {
        let sockets = home.kernel_table("udp6")?;
        Ok(sockets.contains("0000000000000000FFFF000001000014:EA61").then_some(()))
    })?;
    assert_eq!(home.open_on_router(&["-s"])?.port, 60002);
    wait_for_renewals(&home.router)?;
    home.router.readdress("wan0", &["20.0.0.2/24"], &[])?;
    wait_until("the new outside address to be held", HELD_WITHIN, || {
        let sockets = home.kernel_table("udp6")?;
        Ok(sockets.contains("0000000000000000FFFF000002000014:EA61").then_some(()))
    })
}

/// `udp6` lists what is held; its last columns tell what came in and was not read.
pub(crate) fn what_is_sent_to_a_held_port_reaches_its_server_and_nobody_else(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&[])?;
    let session = home.open_on_server(0, &[], &[])?;
    home.wait_until_held(session.port)?;
    let mut terminal = home.join(&session)?;
    computes(&mut terminal, 1704)?;
    // Without the mapping's rules, the datagrams are for the router, whose socket does not hear them.
    home.router.flush_upnp_rules()?;
    let before = no_ports(&home.kernel_table("snmp")?);
    home.laptop.readdress("eth0", &["20.0.0.99/24"], &[])?;
    terminal.type_text("echo nobody hears this\r")?;
    wait_until("the datagrams to be refused", PATIENCE, || {
        let counters = home.kernel_table("snmp")?;
        Ok((no_ports(&counters) > before).then_some(()))
    })?;
    let sockets = home.kernel_table("udp6")?;
    let held = sockets.lines().find(|line| line.contains(":EA61 ")).unwrap_or_default();
    ensure!(held.contains(" 00000000:00000000 ") && held.trim().ends_with(" 0"), "{sockets}");
    process(&home.servers[0], "mosh-server").and_then(|server| signal(&server, lab::Signal::KILL))
}

/// Datagrams for a port that nobody listens on (`NoPorts`).
fn no_ports(counters: &str) -> Option<u64> {
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|name| name == "NoPorts")?;
    values.split(' ').nth(at)?.parse().ok()
}
