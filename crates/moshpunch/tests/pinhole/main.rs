//! A mapper on a host with global IPv6 addresses opens pinholes in a real miniupnpd's firewall.

mod home;
mod keeper;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::{Lab, scenario, wait_until};
use net::interfaces::Attachment;
use portmap::mapper::{CHECK_INTERVAL, Control, Protocol, Record};

use crate::home::{Home, PORT, SERVER};
use crate::keeper::{Keeper, LEASE, NONCE};

const LIMIT: Duration = Duration::from_secs(20);

fn the_host_knows_its_gateway_and_its_global_addresses(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let host = home.server.inside(|| Ok(Attachment::read()?))?;
    let Some(gateway) = host.gateway_v6() else { bail!("no gateway: {host:?}") };
    ensure!(gateway.address.to_string().starts_with("fe80::"), "{gateway:?}");
    assert_eq!(gateway.source, Some(SERVER.parse()?));
    let mut own: Vec<_> = host.global_v6(gateway.interface).map(|address| address.to_string()).collect();
    own.sort();
    assert_eq!(own, [SERVER, "fd07::10"]);
    Ok(())
}

/// Opens and closes; gives what was written down in between.
fn only_while_it_is_wanted(lab: &Lab, protocol: Protocol) -> Result<Record> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd(protocol, 0)?;
    ensure!(!home.is_reachable()?, "the firewall lets everything in");

    let mut keeper = Keeper::start(&home.server, protocol)?;
    let mapping = keeper.mapped()?;
    assert_eq!(mapping.external_address, Some(SERVER.parse()?));
    assert_eq!((mapping.external_port().get(), mapping.lease), (PORT, Some(LEASE)));
    ensure!(home.is_reachable()?, "{}", home.router.nft_ruleset()?);
    assert_eq!(home.pinholes()?, 1);

    ensure!(keeper.release()?, "not confirmed");
    assert_eq!(home.pinholes()?, 0);
    ensure!(!home.is_reachable()?, "still open");
    Ok(mapping.record)
}

fn by_pcp_the_server_is_reached_only_while_that_is_wanted(lab: &Lab) -> Result<()> {
    let record = only_while_it_is_wanted(lab, Protocol::Pcp)?;
    ensure!(matches!(record.control, Control::ControlPort { nonce: Some(NONCE), .. }), "{record:?}");
    Ok(())
}

/// The router names itself by its unique local address, from which the pinholed one is not reached.
fn by_upnp_the_server_is_reached_only_while_that_is_wanted(lab: &Lab) -> Result<()> {
    let record = only_while_it_is_wanted(lab, Protocol::Upnp)?;
    let Control::Pinhole { control, .. } = &record.control else { bail!("{record:?}") };
    assert_eq!(control.url.host().to_string(), "fd07::1");
    Ok(())
}

fn a_renewal_by_pcp_keeps_the_nonce(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let miniupnpd = home.miniupnpd(Protocol::Pcp, 0)?;
    let mut keeper = Keeper::start(&home.server, Protocol::Pcp)?;
    let first = keeper.mapped()?;
    keeper.skip(CHECK_INTERVAL);
    assert_eq!(keeper.renewed()?, first);
    assert_eq!(home.pinholes()?, 1);
    ensure!(home.is_reachable()?);
    let log = miniupnpd.log();
    let added: Vec<_> = log.lines().filter_map(|line| line.split_once("added mapping UDP")).collect();
    ensure!(added.len() == 2 && added[0].1 == added[1].1, "{added:?}");
    Ok(())
}

/// miniupnpd 2.3.1 forgets the nonce at a renewal, and refuses to delete for it. Here its shortest lease is a second.
fn a_renewed_pinhole_that_miniupnpd_does_not_delete_ends_soon(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let miniupnpd = home.miniupnpd(Protocol::Pcp, 0)?;
    let mut keeper = Keeper::start(&home.server, Protocol::Pcp)?;
    keeper.mapped()?;
    keeper.skip(CHECK_INTERVAL);
    keeper.renewed()?;
    let confirmed = keeper.release()?;
    let refused = miniupnpd.log().contains("Unauthorized to remove PCP mapping");
    ensure!(confirmed != refused, "confirmed {confirmed}, refused {refused}");
    wait_until("the pinhole to end", LIMIT, || Ok((home.pinholes()? == 0).then_some(())))?;
    ensure!(!home.is_reachable()?, "still open");
    Ok(())
}

fn a_renewal_by_upnp_keeps_the_number_and_the_pinhole_can_still_be_deleted(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let miniupnpd = home.miniupnpd(Protocol::Upnp, 0)?;
    let mut keeper = Keeper::start(&home.server, Protocol::Upnp)?;
    let first = keeper.mapped()?;
    keeper.skip(CHECK_INTERVAL);
    assert_eq!(keeper.renewed()?, first);
    assert_eq!(home.pinholes()?, 1);
    ensure!(miniupnpd.log().contains("updating lease duration to 600"), "it was not extended");
    ensure!(home.is_reachable()?);
    ensure!(keeper.release()?, "not confirmed");
    assert_eq!(home.pinholes()?, 0);
    Ok(())
}

/// As when the router boots.
fn made_anew_after_a_restart(lab: &Lab, protocol: Protocol, http_port: u16) -> Result<()> {
    let home = Home::raise(lab)?;
    let miniupnpd = home.miniupnpd(protocol, http_port)?;
    let mut keeper = Keeper::start(&home.server, protocol)?;
    keeper.mapped()?;
    miniupnpd.stop()?;
    home.router.flush_upnp_rules()?;
    ensure!(!home.is_reachable()?, "the pinhole survived");
    let _again = home.miniupnpd(protocol, http_port)?;
    keeper.skip(CHECK_INTERVAL);
    keeper.renewed()?;
    ensure!(home.is_reachable()?);
    ensure!(keeper.release()?, "not confirmed");
    assert_eq!(home.pinholes()?, 0);
    Ok(())
}

fn by_pcp_a_pinhole_that_a_restart_took_is_made_anew(lab: &Lab) -> Result<()> {
    made_anew_after_a_restart(lab, Protocol::Pcp, 0)
}

/// miniupnpd 2.3.1 announces its start on the first of its interfaces, which is seldom the home's.
fn by_pcp_a_restart_that_is_announced_to_the_link_is_noticed_at_once(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let miniupnpd = home.miniupnpd(Protocol::Pcp, 0)?;
    let mut keeper = Keeper::start(&home.server, Protocol::Pcp)?;
    keeper.mapped()?;
    miniupnpd.stop()?;
    home.router.flush_upnp_rules()?;
    let _again = home.miniupnpd(Protocol::Pcp, 0)?;
    home.announce_start()?;
    keeper.renewed()?;
    ensure!(home.is_reachable()?);
    Ok(())
}

fn by_upnp_a_pinhole_that_a_restart_took_is_made_anew(lab: &Lab) -> Result<()> {
    made_anew_after_a_restart(lab, Protocol::Upnp, 5000)
}

fn by_upnp_a_pinhole_is_made_anew_on_a_router_that_answers_elsewhere(lab: &Lab) -> Result<()> {
    made_anew_after_a_restart(lab, Protocol::Upnp, 0)
}

/// miniupnpd notifies each of the home's interfaces, from the link-local address that the server knows it by.
fn noticed_at_once(lab: &Lab, http_port: u16) -> Result<()> {
    let home = Home::raise(lab)?;
    let miniupnpd = home.miniupnpd(Protocol::Upnp, http_port)?;
    let mut keeper = Keeper::start(&home.server, Protocol::Upnp)?;
    keeper.mapped()?;
    let clock = || -> Result<String> { Ok(home.router.command("date").arg("+%s").run(LIMIT)?.stdout) };
    let second = clock()?;
    wait_until("another boot id, which is the time in seconds", LIMIT, || {
        Ok((clock()? != second).then_some(()))
    })?;
    miniupnpd.stop()?;
    home.router.flush_upnp_rules()?;
    let _again = home.miniupnpd(Protocol::Upnp, http_port)?;
    keeper.renewed()?;
    ensure!(home.is_reachable()?);
    ensure!(keeper.release()?, "not confirmed");
    Ok(())
}

fn by_upnp_a_restart_is_noticed_at_once(lab: &Lab) -> Result<()> {
    noticed_at_once(lab, 5000)
}

fn by_upnp_a_restart_is_noticed_at_once_on_a_router_that_answers_elsewhere(lab: &Lab) -> Result<()> {
    noticed_at_once(lab, 0)
}

fn a_later_process_deletes_the_pinhole(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    for protocol in [Protocol::Pcp, Protocol::Upnp] {
        let miniupnpd = home.miniupnpd(protocol, 0)?;
        let record = Keeper::start(&home.server, protocol)?.mapped()?.record;
        assert_eq!(home.pinholes()?, 1, "{protocol:?}");
        ensure!(Keeper::resume(&home.server, record)?.release()?, "{protocol:?}");
        assert_eq!(home.pinholes()?, 0, "{protocol:?}");
        miniupnpd.stop()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let scenarios = [
        scenario!(the_host_knows_its_gateway_and_its_global_addresses),
        scenario!(by_pcp_the_server_is_reached_only_while_that_is_wanted),
        scenario!(by_upnp_the_server_is_reached_only_while_that_is_wanted),
        scenario!(a_renewal_by_pcp_keeps_the_nonce),
        scenario!(a_renewed_pinhole_that_miniupnpd_does_not_delete_ends_soon),
        scenario!(a_renewal_by_upnp_keeps_the_number_and_the_pinhole_can_still_be_deleted),
        scenario!(by_pcp_a_pinhole_that_a_restart_took_is_made_anew),
        scenario!(by_pcp_a_restart_that_is_announced_to_the_link_is_noticed_at_once),
        scenario!(by_upnp_a_pinhole_that_a_restart_took_is_made_anew),
        scenario!(by_upnp_a_restart_is_noticed_at_once),
        scenario!(by_upnp_a_restart_is_noticed_at_once_on_a_router_that_answers_elsewhere),
        scenario!(by_upnp_a_pinhole_is_made_anew_on_a_router_that_answers_elsewhere),
        scenario!(a_later_process_deletes_the_pinhole),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&["miniupnpd"])))
}
