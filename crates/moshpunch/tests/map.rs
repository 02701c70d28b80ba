//! `moshpunch map` beside upnpc and natpmpc, with a real miniupnpd.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::program;
use common::{AT_ONCE, PATIENCE, raise, wait_for_empty_table};
use lab::{Host, Lab, Miniupnpd, Output, Signal, WriteUp, scenario, wait_until};
use serde_json::Value;

const PROTOCOLS: [(&str, &str); 4] = [("pcp", "PCP"), ("nat-pmp", "NAT-PMP"), ("upnp", "UPnP"), ("auto", "")];

fn all_protocols() -> Miniupnpd {
    Miniupnpd { nat_pmp_and_pcp: true, ..WriteUp::miniupnpd() }
}

fn map(host: &Host, line: &str) -> Result<Output> {
    map_within(host, line, PATIENCE)
}

fn map_within(host: &Host, line: &str, within: Duration) -> Result<Output> {
    let words = ["map"].into_iter().chain(line.split_whitespace());
    host.command("moshpunch").args(words).as_user(lab::USER).output(within)
}

/// What was printed, if that was all.
fn mapped(host: &Host, line: &str) -> Result<String> {
    let output = map(host, line)?;
    ensure!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    Ok(output.stdout)
}

fn json(host: &Host, line: &str) -> Result<Value> {
    serde_json::from_str(&mapped(host, line)?).with_context(|| line.to_owned())
}

fn upnpc_list(host: &Host) -> Result<String> {
    Ok(host.command("upnpc").arg("-l").output(PATIENCE)?.stdout)
}

/// Whether the laptop's datagram to the router's port comes out at the server's.
fn leads_to_server(network: &WriteUp, external: u16, internal: u16) -> Result<bool> {
    let server = network.server.udp(&format!("0.0.0.0:{internal}"))?;
    network.laptop.udp("0.0.0.0:0")?.reaches(&server, (WriteUp::ROUTER_OUTSIDE, external), PATIENCE)
}

/// By UPnP the router tells what is left of the lease, some seconds later on a busy machine.
fn is_left_of(line: &str, lease: u32) -> bool {
    let told = line.rsplit_once(", for ").and_then(|(_, told)| told.strip_suffix(" s\n")?.parse().ok());
    told.is_some_and(|left: u32| (lease - 60..=lease).contains(&left))
}

fn each_protocol_adds_lists_renews_and_removes(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&all_protocols())?;
    for (protocol, name) in PROTOCOLS {
        let line = mapped(&network.server, &format!("add 60001 --protocol {protocol} --lease 600"))?;
        let expected = format!("20.0.0.1:60001 -> 192.168.1.10:60001 UDP by {name}");
        ensure!(line.starts_with(&expected) && is_left_of(&line, 600), "{line}");
        ensure!(leads_to_server(&network, 60001, 60001)?, "{protocol}");

        let theirs = upnpc_list(&network.server)?;
        ensure!(theirs.contains("UDP 60001->192.168.1.10:60001"), "{theirs}");
        let ours = json(&network.server, "list --json")?;
        let entry = &ours["mappings"][0];
        ensure!(entry["owner"] == "ours" && entry["external_port"] == 60001, "{ours}");
        ensure!((1..=600).contains(&entry["lease_seconds"].as_u64().unwrap_or_default()), "{ours}");

        let before = network.router.leases()?;
        let renewed = mapped(&network.server, "renew 60001 --lease 1200")?;
        ensure!(is_left_of(&renewed, 1200), "{renewed}");
        let after = network.router.leases()?;
        assert_eq!((before.len(), after.len()), (1, 1), "{after:?}");
        ensure!(after[0].expires >= before[0].expires + 500, "{before:?} {after:?}");

        let removed = mapped(&network.server, "remove 60001")?;
        ensure!(removed.starts_with("removed: 20.0.0.1:60001 -> "), "{removed}");
        assert_eq!(network.router.leases()?, []);
        ensure!(!network.router.has_upnp_rule(lab::Protocol::Udp, 60001)?);
    }
    Ok(())
}

fn the_list_agrees_with_upnpcs(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&all_protocols())?;
    mapped(&network.server, "add 60003")?;
    for (port, protocol) in [("60005", "UDP"), ("60006", "TCP")] {
        let arguments = ["-e", "a game", "-a", WriteUp::SERVER, port, port, protocol, "600"];
        network.server.command("upnpc").args(arguments).run(PATIENCE)?;
    }
    let ours = json(&network.server, "list --json")?;
    let told = ours["mappings"].as_array().context("an array")?;
    let theirs = upnpc_list(&network.server)?;
    for entry in told {
        let transport = entry["transport"].as_str().context("a transport")?.to_uppercase();
        let route = format!(
            "{transport} {}->{}:{}",
            entry["external_port"],
            entry["internal_host"].as_str().context("a host")?,
            entry["internal_port"]
        );
        ensure!(theirs.contains(&route), "{route} in {theirs}");
    }
    let mut owners: Vec<_> = told.iter().filter_map(|entry| entry["owner"].as_str()).collect();
    owners.sort_unstable();
    assert_eq!(owners, ["ours", "this_host", "this_host"], "{ours}");
    Ok(())
}

fn a_sessions_mapping_is_listed_as_ours_and_not_removed(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let terminal = common::mosh_to_server(&network.laptop, "moshpunch server")?;
    let list = mapped(&network.server, "list")?;
    ensure!(list.contains("  ours   moshpunch alice@server "), "{list}");
    assert_eq!(map(&network.server, "remove 60001")?.status.code(), Some(5));
    mapped(&network.server, "remove --all")?;
    assert_eq!(network.router.leases()?.len(), 1);
    common::leave(terminal)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

fn a_foreign_mapping_is_stepped_over_and_never_removed(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&all_protocols())?;
    let arguments = ["-e", "a game", "-a", WriteUp::SERVER, "60001", "60001", "UDP", "600"];
    network.server.command("upnpc").args(arguments).run(PATIENCE)?;
    let before = network.router.leases()?;
    let refused = map(&network.server, "add 60001 --external 60001 --protocol upnp")?;
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    assert_eq!(
        refused.stderr.lines().next(),
        Some("moshpunch: port 60001 of the router 192.168.1.1 is taken")
    );
    assert_eq!(map(&network.server, "remove 60001")?.status.code(), Some(5));
    mapped(&network.server, "remove --all")?;
    assert_eq!(network.router.leases()?, before);
    let line = mapped(&network.server, "add 60001 --protocol upnp")?;
    ensure!(!line.starts_with("20.0.0.1:60001 "), "{line}");
    assert_eq!(network.router.leases()?.len(), 2);
    Ok(())
}

/// A second host behind the same router.
fn neighbour(lab: &Lab) -> Result<(Host, [Host; 2], Host)> {
    lab.install(&program::path())?;
    let (internet, home) = (lab.link("internet")?, lab.link("home")?);
    let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24"]);
    let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
    router.nat(&lab::Nat::home("wan0"))?;
    let host = |name: &str, address: &str| {
        lab.host(name).attach("eth0", &home, &[address]).default_route("192.168.1.1").start()
    };
    let hosts = [host("one", "192.168.1.10/24")?, host("two", "192.168.1.11/24")?];
    let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
    Ok((router, hosts, laptop))
}

fn the_second_host_gets_another_port_or_a_plain_no(lab: &Lab) -> Result<()> {
    let (router, [one, two], _laptop) = neighbour(lab)?;
    let _miniupnpd = router.miniupnpd(&all_protocols())?;
    for (protocol, _) in PROTOCOLS {
        mapped(&one, &format!("add 60001 --protocol {protocol}"))?;
        let refused = map(&two, &format!("add 60001 --external 60001 --protocol {protocol}"))?;
        assert_eq!(refused.status.code(), Some(4), "{protocol}: {refused:?}");
        assert_eq!(refused.stderr.lines().count(), 2, "{refused:?}");
        let value = json(&two, &format!("add 60001 --protocol {protocol} --json"))?;
        ensure!(value["external_port"] != 60001 && value["internal_port"] == 60001, "{value}");
        let leases = router.leases()?;
        assert_eq!(leases.len(), 2, "{leases:?}");
        mapped(&one, "remove --all")?;
        assert_eq!(router.leases()?.len(), 1, "the other host's stays");
        mapped(&two, "remove --all")?;
        assert_eq!(router.leases()?, []);
    }
    Ok(())
}

/// By NAT-PMP, miniupnpd tries its rules with every port before it refuses, and hears nobody meanwhile; the lab's writes a
/// line about each.
fn denied_by_rules_is_told_in_two_lines(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&all_protocols())?;
    for protocol in ["upnp", "auto"] {
        let line = format!("add 60050 --external 60050 --protocol {protocol} --budget 60");
        let output = map_within(&network.server, &line, Duration::from_secs(80))?;
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(
            output.stderr,
            "moshpunch: the router 192.168.1.1 forbids mapping port 60050\n\
             cure: allow it there (miniupnpd.conf, before the deny line: \
             'allow 60000-61000 192.168.1.10/32 60000-61000')\n"
        );
        assert_eq!(output.stdout, "");
    }
    assert_eq!(network.router.leases()?, []);
    Ok(())
}

fn no_gateway_is_told_in_two_lines(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for line in ["add 60001", "gateway", "list"] {
        let output = map(&network.server, line)?;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(
            output.stderr,
            "moshpunch: no router here answers PCP, NAT-PMP or UPnP\n\
             cure: switch one of them on in the router\n"
        );
    }
    Ok(())
}

fn the_gateway_is_shown_with_all_that_it_tells(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&all_protocols())?;
    let value = json(&network.server, "gateway --json")?;
    let gateway = &value["gateways"][0];
    ensure!(gateway["address"] == "192.168.1.1" && gateway["external_address"] == "20.0.0.1", "{value}");
    ensure!(gateway["reach"] == "public", "{value}");
    for protocol in ["pcp", "nat_pmp", "upnp"] {
        ensure!(gateway[protocol]["answers"] == true, "{protocol}: {value}");
    }
    ensure!(gateway["services"][0]["connected"] == true, "{value}");
    assert_eq!(network.router.leases()?, []);
    let text = mapped(&network.server, "gateway")?;
    ensure!(text.contains("\n  outside  20.0.0.1 (public)\n"), "{text}");
    Ok(())
}

fn a_kept_mapping_outlives_its_lease_and_goes_at_sigterm(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&all_protocols())?;
    let command = network.server.command("moshpunch").as_user(lab::USER);
    let command = command.args(["map", "add", "60001", "--protocol", "upnp", "--lease", "2", "--keep"]);
    let kept = network.server.spawn("map add --keep", &command)?;
    kept.wait_for_log("20.0.0.1:60001 -> 192.168.1.10:60001 UDP by UPnP", PATIENCE)?;
    // A renewal by UPnP takes the line out of miniupnpd's file and puts it back.
    let expires = || Ok(network.router.leases()?.first().map(|lease| lease.expires));
    let first = wait_until("a lease", PATIENCE, expires)?;
    wait_until("three renewals", PATIENCE, || Ok(expires()?.filter(|&expires| expires >= first + 3)))?;
    kept.signal(Signal::TERM)?;
    ensure!(kept.wait_exit(PATIENCE)?.success(), "{}", kept.log());
    assert_eq!(network.router.leases()?, []);
    assert_eq!(common::state_files(&network.server)?, [""; 0]);
    Ok(())
}

fn what_a_killed_keeper_of_ours_left_can_be_removed_later(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&all_protocols())?;
    for (protocol, _) in PROTOCOLS {
        let command = network.server.command("moshpunch").as_user(lab::USER);
        let command = command.args(["map", "add", "60001", "--keep", "--protocol", protocol]);
        let kept = network.server.spawn("map add --keep", &command)?;
        kept.wait_for_log("20.0.0.1:60001 -> ", PATIENCE)?;
        kept.signal(Signal::KILL)?;
        kept.wait_exit(PATIENCE)?;
        assert_eq!(network.router.leases()?.len(), 1);
        mapped(&network.server, "remove 60001")?;
        assert_eq!(network.router.leases()?, [], "{protocol}");
    }
    Ok(())
}

fn main() -> ExitCode {
    let programs = &["mosh", "sshd", "miniupnpd", "upnpc"];
    lab::harness::run(
        [
            scenario!(each_protocol_adds_lists_renews_and_removes),
            scenario!(the_list_agrees_with_upnpcs),
            scenario!(a_sessions_mapping_is_listed_as_ours_and_not_removed),
            scenario!(a_foreign_mapping_is_stepped_over_and_never_removed),
            scenario!(the_second_host_gets_another_port_or_a_plain_no),
            scenario!(denied_by_rules_is_told_in_two_lines),
            scenario!(no_gateway_is_told_in_two_lines),
            scenario!(the_gateway_is_shown_with_all_that_it_tells),
            scenario!(a_kept_mapping_outlives_its_lease_and_goes_at_sigterm),
            scenario!(what_a_killed_keeper_of_ours_left_can_be_removed_later),
        ]
        .map(|scenario| scenario.needs(programs)),
    )
}
