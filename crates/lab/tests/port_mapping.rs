//! A real miniupnpd maps ports for real clients.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Daemon, Lab, Miniupnpd, Protocol, WriteUp, scenario};

const LIMIT: Duration = Duration::from_secs(30);

fn map_60001(network: &WriteUp) -> Result<()> {
    let arguments = ["-e", "the lab", "-a", WriteUp::SERVER, "60002", "60001", "UDP", "600"];
    network.server.command("upnpc").args(arguments).run(LIMIT)?;
    Ok(())
}

fn leads_to_the_server(network: &WriteUp) -> Result<bool> {
    let (server, laptop) = (network.server.udp("0.0.0.0:60002")?, network.laptop.udp("0.0.0.0:0")?);
    laptop.reaches(&server, (WriteUp::ROUTER_OUTSIDE, 60001), LIMIT)
}

fn upnpc_maps_a_port_that_then_leads_to_the_server(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    ensure!(!network.router.has_upnp_rule(Protocol::Udp, 60001)?);
    ensure!(!leads_to_the_server(&network)?);
    map_60001(&network)?;

    let leases = network.router.leases()?;
    let lease = leases.first().context("no lease")?;
    assert_eq!((lease.external_port, lease.internal_port, &*lease.description), (60001, 60002, "the lab"));
    assert_eq!((leases.len(), lease.protocol), (1, Protocol::Udp));
    ensure!(network.router.has_upnp_rule(Protocol::Udp, 60001)?, "{}", network.router.nft_ruleset()?);
    ensure!(!network.router.has_upnp_rule(Protocol::Tcp, 60001)?);
    ensure!(leads_to_the_server(&network)?);
    Ok(())
}

fn upnpc_lists_and_removes_what_it_mapped(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    map_60001(&network)?;
    let list = network.server.command("upnpc").arg("-l").run(LIMIT)?.stdout;
    ensure!(list.contains("UDP 60001->192.168.1.10:60002 'the lab'"), "{list}");
    network.server.command("upnpc").args(["-d", "60001", "UDP"]).run(LIMIT)?;
    assert_eq!(network.router.leases()?, []);
    ensure!(!network.router.has_upnp_rule(Protocol::Udp, 60001)?);
    Ok(())
}

fn the_write_ups_router_maps_no_port_that_it_denies(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let denied = ["-a", WriteUp::SERVER, "60024", "60024", "UDP", "600"];
    let output = network.server.command("upnpc").args(denied).output(LIMIT)?;
    ensure!(output.to_string().contains("failed with code"), "{output}");
    assert_eq!(network.router.leases()?, []);
    Ok(())
}

fn natpmpc_maps_a_port_that_then_leads_to_the_server(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE))?;
    let natpmpc = network.server.command("natpmpc").args(["-a", "60001", "60002", "udp", "600"]);
    let output = natpmpc.run(LIMIT)?.stdout;
    ensure!(output.contains("Public IP address : 20.0.0.1"), "{output}");
    ensure!(output.contains("Mapped public port 60001 protocol UDP to local port 60002"), "{output}");
    ensure!(leads_to_the_server(&network)?);
    Ok(())
}

fn a_reload_of_the_firewall_takes_the_rules_and_leaves_the_lease(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    map_60001(&network)?;
    network.router.flush_upnp_rules()?;
    ensure!(!network.router.has_upnp_rule(Protocol::Udp, 60001)?);
    assert_eq!(network.router.leases()?.len(), 1);
    ensure!(!leads_to_the_server(&network)?);
    Ok(())
}

/// Its table of rules is a copy, read anew after its own changes only. So neither a look at the entry nor a renewal
/// brings the rule back; a deletion does, before the entry is added again.
fn miniupnpd_lists_and_renews_by_upnp_what_it_does_not_forward(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    map_60001(&network)?;
    let list = || Ok::<_, anyhow::Error>(network.server.command("upnpc").arg("-l").run(LIMIT)?.stdout);
    ensure!(list()?.contains("60001->"));
    network.router.flush_upnp_rules()?;
    map_60001(&network)?;
    ensure!(list()?.contains("60001->"), "the entry is listed");
    ensure!(!network.router.has_upnp_rule(Protocol::Udp, 60001)?, "and nothing is forwarded");
    network.server.command("upnpc").args(["-d", "60001", "UDP"]).output(LIMIT)?;
    map_60001(&network)?;
    ensure!(network.router.has_upnp_rule(Protocol::Udp, 60001)?);
    Ok(())
}

/// As when the router boots: miniupnpd ends, its rules are gone, and it starts again.
fn restart(network: &WriteUp, miniupnpd: Daemon, configuration: &Miniupnpd) -> Result<Daemon> {
    miniupnpd.stop()?;
    network.router.flush_upnp_rules()?;
    network.router.miniupnpd(configuration)
}

fn a_restart_with_the_lease_file_brings_the_mapping_back(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let configuration = WriteUp::miniupnpd();
    let miniupnpd = network.router.miniupnpd(&configuration)?;
    map_60001(&network)?;
    let _again = restart(&network, miniupnpd, &configuration)?;
    ensure!(network.router.has_upnp_rule(Protocol::Udp, 60001)?);
    ensure!(leads_to_the_server(&network)?);
    Ok(())
}

fn a_restart_without_a_lease_file_loses_the_mapping(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let configuration = Miniupnpd { lease_file: false, ..WriteUp::miniupnpd() };
    let miniupnpd = network.router.miniupnpd(&configuration)?;
    map_60001(&network)?;
    ensure!(network.router.has_upnp_rule(Protocol::Udp, 60001)?);
    let _again = restart(&network, miniupnpd, &configuration)?;
    ensure!(!network.router.has_upnp_rule(Protocol::Udp, 60001)?);
    ensure!(!leads_to_the_server(&network)?);
    Ok(())
}

fn main() -> ExitCode {
    let scenarios = [
        scenario!(upnpc_maps_a_port_that_then_leads_to_the_server),
        scenario!(upnpc_lists_and_removes_what_it_mapped),
        scenario!(the_write_ups_router_maps_no_port_that_it_denies),
        scenario!(natpmpc_maps_a_port_that_then_leads_to_the_server).needs(&["natpmpc"]),
        scenario!(a_reload_of_the_firewall_takes_the_rules_and_leaves_the_lease),
        scenario!(miniupnpd_lists_and_renews_by_upnp_what_it_does_not_forward),
        scenario!(a_restart_with_the_lease_file_brings_the_mapping_back),
        scenario!(a_restart_without_a_lease_file_loses_the_mapping),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&["miniupnpd", "sshd", "upnpc"])))
}
