//! What routers do to a mapping: they restart, forget, move. The session can be reached again each time, from outside,
//! by a client never seen before.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use common::home::{Home, LeaseFile, close, hear_only, nft, protocol_of};
use common::program;
use common::{
    AT_ONCE, PATIENCE, be_patient, computes_within, end_sessions, keeper, leave, mosh_through,
    mosh_to_server, no_moshpunch_is_left, raise, signal, state_files, wait_for_empty_table,
};
use lab::{Daemon, Host, Lab, Link, Miniupnpd, Nat, Signal, Sshd, WriteUp, scenario, wait_until};
use portmap::mapper::{CHECK_INTERVAL, Protocol};

/// How soon a session must be reachable where its router tells that something happened: long before the next check.
const SOON: Duration = PATIENCE;

/// And where it does not. A client that heard nothing for long asks every three seconds; a gateway that is gone from its
/// address is looked for first.
const ONE_CHECK: Duration = CHECK_INTERVAL.saturating_add(Duration::from_secs(30));

fn a_session_has_one_entry_by(lab: &Lab, only: Option<Protocol>) -> Result<()> {
    let mut home = Home::open(lab, only)?;
    let lease = home.lease()?;
    ensure!(only.is_none_or(|only| protocol_of(&lease) == Some(only)), "{only:?}: {lease:?}");
    home.reach_anew(PATIENCE)?;
    assert_eq!(home.lease()?, lease);
    home.leave()
}

fn a_session_by_pcp_alone_has_one_entry_and_leaves_none(lab: &Lab) -> Result<()> {
    a_session_has_one_entry_by(lab, Some(Protocol::Pcp))
}

fn a_session_by_nat_pmp_alone_has_one_entry_and_leaves_none(lab: &Lab) -> Result<()> {
    a_session_has_one_entry_by(lab, Some(Protocol::NatPmp))
}

fn a_session_by_upnp_alone_has_one_entry_and_leaves_none(lab: &Lab) -> Result<()> {
    a_session_has_one_entry_by(lab, Some(Protocol::Upnp))
}

fn a_session_by_every_protocol_has_one_entry_and_leaves_none(lab: &Lab) -> Result<()> {
    a_session_has_one_entry_by(lab, None)
}

fn is_reachable_after_a_restart(
    lab: &Lab,
    only: Option<Protocol>,
    lease_file: LeaseFile,
    within: Duration,
) -> Result<()> {
    let mut home = Home::open(lab, only)?;
    home.restart_router(lease_file)?;
    home.reach_anew(within)?;
    home.lease()?;
    home.leave()
}

fn a_restart_with_the_lease_file_is_survived(lab: &Lab) -> Result<()> {
    is_reachable_after_a_restart(lab, None, LeaseFile::Kept, SOON)
}

/// The mapping goes at the end although nobody has asked the router on its new HTTP port yet.
fn a_restart_with_the_lease_file_is_survived_by_upnp_alone(lab: &Lab) -> Result<()> {
    is_reachable_after_a_restart(lab, Some(Protocol::Upnp), LeaseFile::Kept, SOON)
}

fn an_announced_restart_without_the_lease_file_is_mended_at_once(lab: &Lab) -> Result<()> {
    is_reachable_after_a_restart(lab, None, LeaseFile::Lost, SOON)
}

fn a_restart_without_the_lease_file_is_mended_at_once_by_upnp_alone(lab: &Lab) -> Result<()> {
    is_reachable_after_a_restart(lab, Some(Protocol::Upnp), LeaseFile::Lost, SOON)
}

/// The user was told the port, and no other will do; but the other host has it by right.
fn the_told_port_is_left_to_who_took_it_after_a_restart(lab: &Lab, only: Option<Protocol>) -> Result<()> {
    let mut home = Home::open(lab, only)?;
    let other = lab.host("other").attach("eth0", &home.network.home, &["192.168.1.66/24"]);
    let other = other.default_route(WriteUp::ROUTER_INSIDE).start()?;
    let keeper = keeper(&home.network.server)?;
    home.stop_router(LeaseFile::Lost)?;
    signal(&keeper, Signal::STOP)?;
    home.start_router()?;
    let game = ["-e", "a game", "-a", "192.168.1.66", "60001", "60001", "UDP"];
    other.command("upnpc").args(game).run(PATIENCE)?;
    let theirs = home.lease()?;
    signal(&keeper, Signal::CONT)?;

    home.wait_for_keeper("lost cause=port 60001 of the router 192.168.1.1 is taken", PATIENCE)?;
    let state = home.network.server.command("cat").args(state_files(&home.network.server)?);
    let state = state.run(PATIENCE)?.stdout;
    ensure!(!state.contains("20.0.0.1"), "it is no way to the session: {state}");
    wait_until("the only entry to be the other host's", PATIENCE, || {
        Ok((home.network.router.leases()? == [theirs.clone()]).then_some(()))
    })?;
    end_sessions(&home.network.server)?;
    no_moshpunch_is_left(&home.network.server)?;
    assert_eq!(home.lease()?, theirs);
    Ok(())
}

fn the_told_port_is_left_to_who_took_it_after_a_restart_by_every_protocol(lab: &Lab) -> Result<()> {
    the_told_port_is_left_to_who_took_it_after_a_restart(lab, None)
}

fn the_told_port_is_left_to_who_took_it_after_a_restart_by_upnp_alone(lab: &Lab) -> Result<()> {
    the_told_port_is_left_to_who_took_it_after_a_restart(lab, Some(Protocol::Upnp))
}

/// miniupnpd's rules lead in from the interface, whatever its address; what has to change is what the keeper knows.
fn a_new_outside_address_is_told_and_serves_at_once(lab: &Lab) -> Result<()> {
    let home = Home::open(lab, None)?;
    home.network.router.readdress(WriteUp::OUTSIDE, &["20.0.0.2/24"], &[])?;
    home.signal_router(Signal::USR1)?;
    the_new_address_serves(home, SOON)
}

/// UPnP announces nothing of it.
fn a_new_outside_address_is_told_within_one_check_by_upnp_alone(lab: &Lab) -> Result<()> {
    let home = Home::open(lab, Some(Protocol::Upnp))?;
    home.network.router.readdress(WriteUp::OUTSIDE, &["20.0.0.2/24"], &[])?;
    the_new_address_serves(home, ONE_CHECK)
}

fn the_new_address_serves(mut home: Home, within: Duration) -> Result<()> {
    home.wait_for_keeper(
        "Changed(Mapping { internal: 192.168.1.10:60001, external_address: Some(20.0.0.2)",
        within,
    )?;
    // The client knows one address for ever. Let it be led to the new one.
    let output = "type nat hook output priority -100; ip daddr 20.0.0.1 udp dport 60001 dnat to 20.0.0.2;";
    nft(&home.network.laptop, &format!("table ip moved {{ chain output {{ {output} }}; }}\n"))?;
    home.reach_anew(SOON)?;
    home.lease()?;
    home.leave()
}

fn a_gateway_that_moved_is_followed_at_once(lab: &Lab) -> Result<()> {
    let mut home = Home::open(lab, None)?;
    home.stop_router(LeaseFile::Lost)?;
    home.network.router.readdress(WriteUp::INSIDE, &["192.168.1.254/24"], &[])?;
    home.start_router()?;
    let route = ["route", "replace", "default", "via", "192.168.1.254"];
    home.network.server.command("ip").args(route).run(PATIENCE)?;
    home.reach_anew(SOON)?;
    home.lease()?;
    home.leave()
}

/// Their list comes in many parts; another gateway is in it, with a worse metric.
fn quirk_76_the_gateway_is_found_among_thousands_of_routes(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let route = |number| format!("route add 10.{}.{}.0/24 via 192.168.1.77\n", number / 256, number % 256);
    let routes: String = (0..4_000).map(route).collect();
    let routes = routes + "route add default via 192.168.1.77 metric 500\n";
    network.server.command("ip").args(["-batch", "-"]).input(routes).run(PATIENCE)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let terminal = mosh_to_server(&network.laptop, "moshpunch server")?;
    assert_eq!(network.router.leases()?.len(), 1);
    leave(terminal)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

/// A home whose router, 20.0.0.`number`, hears one protocol alone; ssh by way of its port 8022.
fn raise_home(lab: &Lab, internet: &Link, number: u8, protocol: Protocol) -> Result<(Host, [Daemon; 2])> {
    let home = lab.link(&format!("home{number}"))?;
    let router =
        lab.host(&format!("router{number}")).attach("wan0", internet, &[&format!("20.0.0.{number}/24")]);
    let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
    router.nat(&Nat::home("wan0").forward(lab::Protocol::Tcp, 8022, "192.168.1.10:22"))?;
    close(&router)?;
    hear_only(&router, "192.168.1.10", protocol)?;
    let server = lab.host(&format!("server{number}")).attach("eth0", &home, &["192.168.1.10/24"]);
    let server = server.default_route("192.168.1.1").start()?;
    be_patient(&server)?;
    let daemons = [server.sshd(&Sshd::default())?, router.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?];
    Ok((router, daemons))
}

/// Each has a router of its own: what one protocol mends, the others would find mended.
///
/// By UPnP only because the entry is made anew at each check: see the lab's
/// `miniupnpd_lists_and_renews_by_upnp_what_it_does_not_forward`.
fn rules_flushed_under_any_protocol_are_back_within_one_check(lab: &Lab) -> Result<()> {
    lab.install(&program::path())?;
    let internet = lab.link("internet")?;
    let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
    let mut homes = Vec::new();
    for (number, protocol) in [(1, Protocol::Pcp), (2, Protocol::NatPmp), (3, Protocol::Upnp)] {
        let (router, daemons) = raise_home(lab, &internet, number, protocol)?;
        let terminal = mosh_through(&laptop, &format!("router{number}"), 8022, "moshpunch server")?;
        let leases = router.leases()?;
        assert_eq!(leases.iter().map(protocol_of).collect::<Vec<_>>(), [Some(protocol)]);
        router.flush_upnp_rules()?;
        assert_eq!(router.leases()?, leases, "the table lists what is not forwarded");
        homes.push((router, terminal, daemons));
    }
    laptop.readdress("eth0", &["20.0.0.10/24"], &[])?;
    for (number, (_, terminal, _)) in (8001..).zip(&mut homes) {
        computes_within(terminal, number, ONE_CHECK)?;
    }
    for (router, terminal, _daemons) in homes {
        ensure!(router.has_upnp_rule(lab::Protocol::Udp, 60001)?, "{}", router.nft_ruleset()?);
        leave(terminal)?;
        wait_for_empty_table(&router, AT_ONCE)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let long = Duration::from_secs(300);
    lab::harness::run(
        [
            // The long ones first: they wait for the next check.
            scenario!(rules_flushed_under_any_protocol_are_back_within_one_check).within(long),
            scenario!(a_restart_without_the_lease_file_is_mended_at_once_by_upnp_alone).within(long),
            scenario!(a_new_outside_address_is_told_within_one_check_by_upnp_alone).within(long),
            scenario!(a_session_by_pcp_alone_has_one_entry_and_leaves_none),
            scenario!(a_session_by_nat_pmp_alone_has_one_entry_and_leaves_none),
            scenario!(a_session_by_upnp_alone_has_one_entry_and_leaves_none),
            scenario!(a_session_by_every_protocol_has_one_entry_and_leaves_none),
            scenario!(a_restart_with_the_lease_file_is_survived),
            scenario!(a_restart_with_the_lease_file_is_survived_by_upnp_alone),
            scenario!(an_announced_restart_without_the_lease_file_is_mended_at_once),
            scenario!(a_new_outside_address_is_told_and_serves_at_once),
            scenario!(a_gateway_that_moved_is_followed_at_once),
            scenario!(the_told_port_is_left_to_who_took_it_after_a_restart_by_every_protocol),
            scenario!(the_told_port_is_left_to_who_took_it_after_a_restart_by_upnp_alone),
            scenario!(quirk_76_the_gateway_is_found_among_thousands_of_routes),
        ]
        .map(|scenario| scenario.needs(&["mosh", "sshd", "miniupnpd", "upnpc"])),
    )
}
