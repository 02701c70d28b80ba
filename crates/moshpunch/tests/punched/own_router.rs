//! A café whose NAT gives each peer another port: no hole leads through it, unless its router maps a port for the laptop.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fake_gateway::{FakeGateway, Quirk};
use lab::harness::Scenario;
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, scenario, wait_until};
use net::clock::unix_seconds;
use rustix::process::Signal;

use crate::common::home::nft;
use crate::common::{AT_ONCE, PATIENCE, client, signal, wait_for_empty_table};
use crate::firewalls::FIREWALL;
use crate::scene::Scene;

/// What is asked for, in seconds.
const LEASE: u64 = 300;

/// Of a router that grants none longer, in seconds.
const SHORT_LEASE: u32 = 20;

/// After both orders of a round, in seconds.
const LONGER_THAN_A_SERIES: u64 = 15;

/// Thirty seconds, and those of two rounds.
const UNTIL_THE_NEXT_SERIES: Duration = Duration::from_secs(60);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenarios = vec![
        scenario!(by_pcp_a_session_goes_directly_to_a_home),
        scenario!(by_pcp_a_session_goes_directly_to_a_symmetric_nat),
        scenario!(by_nat_pmp_a_session_goes_directly_to_a_home),
        scenario!(by_nat_pmp_a_session_goes_directly_to_a_symmetric_nat),
        scenario!(by_upnp_a_session_goes_directly_to_a_home),
        scenario!(by_upnp_a_session_goes_directly_to_a_symmetric_nat),
        scenario!(from_behind_a_firewall_of_its_own_a_session_goes_directly_to_a_home),
        scenario!(what_is_mapped_is_gone_when_the_client_is_terminated),
        scenario!(what_is_mapped_is_gone_soon_after_the_client_is_killed),
        scenario!(what_is_mapped_in_a_network_that_is_left_ends_with_its_lease),
        scenario!(where_a_hole_is_found_without_it_no_router_is_asked),
        scenario!(without_punching_no_router_is_asked),
    ];
    let needs = ["/usr/sbin/miniupnpd", "nft"];
    let scenarios = scenarios.into_iter().map(|scenario| scenario.needs(&needs));
    scenarios.chain([scenario!(a_router_that_maps_without_an_end_alone_is_not_used)]).collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Speaks {
    Pcp,
    NatPmp,
    Upnp,
}

fn symmetric() -> Nat {
    Nat::symmetric("wan0")
}

fn home() -> Nat {
    Nat::home("wan0")
}

fn miniupnpd(speaks: Speaks) -> Miniupnpd {
    let is_upnp = speaks == Speaks::Upnp;
    Miniupnpd { upnp: is_upnp, nat_pmp_and_pcp: !is_upnp, ..Miniupnpd::new("wan0", "lan0") }
}

/// The café's router maps ports.
fn start(cafe: &Host, speaks: Speaks, lifetimes: Option<(u32, u32)>) -> Result<Daemon> {
    if speaks == Speaks::NatPmp {
        // What begins with a 2 is PCP, and the same server's.
        let rule = "udp dport 5351 @th,64,8 2 drop";
        nft(
            cafe,
            &format!("table inet old {{ chain input {{ type filter hook input priority 0; {rule}; }}; }}\n"),
        )?;
    }
    let miniupnpd = miniupnpd(speaks);
    cafe.miniupnpd(&Miniupnpd { lifetimes: lifetimes.unwrap_or(miniupnpd.lifetimes), ..miniupnpd })
}

fn is_mapped(scene: &Scene) -> Result<()> {
    let leases = scene.cafe.leases()?;
    let [lease] = leases.as_slice() else { return scene.explained(Err(anyhow::anyhow!("{leases:?}"))) };
    let rest = lease.expires.saturating_sub(unix_seconds());
    ensure!((1..=LEASE).contains(&rest), "{lease:?}");
    ensure!(lease.internal_address.to_string() == "10.1.0.5", "{lease:?}");
    Ok(())
}

fn goes_directly(lab: &Lab, speaks: Speaks, home: Nat) -> Result<()> {
    goes_directly_from(Scene::raise(lab, Some(symmetric()), home)?, speaks)
}

/// What the router lets in, the laptop itself must not drop.
fn from_behind_a_firewall_of_its_own_a_session_goes_directly_to_a_home(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab, Some(symmetric()), home())?;
    nft(scene.laptop(), FIREWALL)?;
    goes_directly_from(scene, Speaks::Pcp)
}

fn goes_directly_from(mut scene: Scene, speaks: Speaks) -> Result<()> {
    let _miniupnpd = start(&scene.cafe, speaks, None)?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    is_mapped(&scene)?;
    let said = scene.leaves()?;
    ensure!(said.contains("this network's router 10.1.0.1 maps 20.0.1.50 port"), "{said}");
    wait_for_empty_table(&scene.cafe, AT_ONCE)
}

fn by_pcp_a_session_goes_directly_to_a_home(lab: &Lab) -> Result<()> {
    goes_directly(lab, Speaks::Pcp, home())
}

fn by_pcp_a_session_goes_directly_to_a_symmetric_nat(lab: &Lab) -> Result<()> {
    goes_directly(lab, Speaks::Pcp, symmetric())
}

fn by_nat_pmp_a_session_goes_directly_to_a_home(lab: &Lab) -> Result<()> {
    goes_directly(lab, Speaks::NatPmp, home())
}

fn by_nat_pmp_a_session_goes_directly_to_a_symmetric_nat(lab: &Lab) -> Result<()> {
    goes_directly(lab, Speaks::NatPmp, symmetric())
}

fn by_upnp_a_session_goes_directly_to_a_home(lab: &Lab) -> Result<()> {
    goes_directly(lab, Speaks::Upnp, home())
}

fn by_upnp_a_session_goes_directly_to_a_symmetric_nat(lab: &Lab) -> Result<()> {
    goes_directly(lab, Speaks::Upnp, symmetric())
}

fn what_is_mapped_is_gone_when_the_client_is_terminated(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(symmetric()), home())?;
    let _miniupnpd = start(&scene.cafe, Speaks::Upnp, None)?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    is_mapped(&scene)?;
    signal(&client(scene.laptop())?, Signal::TERM)?;
    scene.session()?.wait_exit(PATIENCE)?;
    ensure!(scene.cafe.leases()?.is_empty(), "it ends once that is given back");
    Ok(())
}

/// Nobody gives it back, and its lease is all that is left of it.
fn what_is_mapped_is_gone_soon_after_the_client_is_killed(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(symmetric()), home())?;
    let _miniupnpd = start(&scene.cafe, Speaks::Pcp, Some((SHORT_LEASE / 2, SHORT_LEASE)))?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    is_mapped(&scene)?;
    signal(&client(scene.laptop())?, Signal::KILL)?;
    scene.session()?.wait_exit(PATIENCE)?;
    is_mapped(&scene).context("killed, it gives nothing back")?;
    wait_for_empty_table(&scene.cafe, Duration::from_secs(SHORT_LEASE.into()) + PATIENCE)
}

/// To one where nobody has to be asked.
fn what_is_mapped_in_a_network_that_is_left_ends_with_its_lease(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(symmetric()), home())?;
    let _miniupnpd = start(&scene.cafe, Speaks::Pcp, Some((SHORT_LEASE / 2, SHORT_LEASE)))?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    is_mapped(&scene)?;
    let before = scene.log().len();
    scene.laptop().join("eth0", &scene.network.internet, &["20.0.0.9/24"], &["20.0.0.2"])?;
    let moved = wait_until("another hole", PATIENCE, || {
        let log = scene.log();
        let is_punched = |line: &str| line.contains("event=Moved") && line.contains("kind: Punched,");
        Ok(log[before..].lines().any(is_punched).then_some(()))
    });
    scene.explained(moved)?;
    scene.computes()?;
    wait_for_empty_table(&scene.cafe, Duration::from_secs(SHORT_LEASE.into()) + PATIENCE)?;
    scene.leaves_having_gone_through_a_hole()?;
    let asked = scene.log().matches("is asked to map a port").count();
    ensure!(asked == 1, "{}", scene.log());
    Ok(())
}

fn count_questions(laptop: &Host) -> Result<()> {
    let chain = "type filter hook output priority 0; udp dport { 1900, 5351 } counter name routers";
    nft(laptop, &format!("table inet asked {{ counter routers {{ }}; chain output {{ {chain}; }}; }}\n"))
}

/// How many packets went to where routers are asked for mappings.
fn questions(laptop: &Host) -> Result<u64> {
    let listed = laptop.command("nft").args(["list", "counter", "inet", "asked", "routers"]);
    let listed = listed.run(PATIENCE)?.stdout;
    let packets = listed.split_once("packets ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    packets.with_context(|| listed.clone())
}

fn types_for_longer_than_a_series(scene: &mut Scene) -> Result<()> {
    let end = unix_seconds() + LONGER_THAN_A_SERIES;
    while unix_seconds() < end {
        scene.computes()?;
    }
    Ok(())
}

fn where_a_hole_is_found_without_it_no_router_is_asked(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(home()), home())?;
    let _miniupnpd = scene.cafe.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?;
    count_questions(scene.laptop())?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    types_for_longer_than_a_series(&mut scene)?;
    scene.leaves_having_gone_through_a_hole()?;
    ensure!(questions(scene.laptop())? == 0);
    ensure!(scene.cafe.leases()?.is_empty());
    Ok(())
}

fn without_punching_no_router_is_asked(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(symmetric()), home())?;
    let _miniupnpd = scene.cafe.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?;
    count_questions(scene.laptop())?;
    scene.begin(&["--no-punch"])?;
    scene.goes("Carried")?;
    types_for_longer_than_a_series(&mut scene)?;
    scene.leaves()?;
    ensure!(questions(scene.laptop())? == 0);
    Ok(())
}

fn a_router_that_maps_without_an_end_alone_is_not_used(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(symmetric()), home())?;
    let gateway = FakeGateway::builder().protocols(&[fake_gateway::Protocol::Upnp]);
    let gateway = gateway.external_address("20.0.1.50").quirk(Quirk::OnlyPermanentLeases);
    let gateway = scene.cafe.inside(|| Ok(gateway.bind("10.1.0.1".parse()?)?))?;
    scene.begin(&[])?;
    scene.goes("Carried")?;
    let told = wait_until("the router to be asked", PATIENCE, || {
        Ok(scene.log().contains("this network's router maps no port").then_some(()))
    });
    scene.explained(told)?;
    let counted = || (gateway.counters().descriptions, gateway.counters().action("AddPortMapping"));
    let asked = counted();
    let again = wait_until("the end of the next series of rounds", UNTIL_THE_NEXT_SERIES, || {
        let rest = scene.log().split("event=Map ").nth(2).map(str::to_owned);
        Ok(rest.filter(|rest| rest.contains("event=Close ")).map(drop))
    });
    scene.explained(again)?;
    scene.computes()?;
    let said = scene.leaves()?;
    ensure!(said.contains("the session went over ssh"), "{said}");
    ensure!(gateway.mappings().is_empty(), "{:?}", gateway.mappings());
    ensure!(counted() == asked, "it is not asked again: {asked:?}, {:?}", counted());
    Ok(())
}
