//! Networks and routers that are gone for a while, and what they have forgotten then.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use common::world::{FROM_OUTSIDE, LAN_ADDRESS, Spot, World};
use common::{PATIENCE, computes, computes_within, mosh_to_server};
use lab::{Host, Lab, Protocol, scenario, wait_until};

/// Two seconds, as the simulation of `path` holds; these machines are busy.
const BACK: Duration = PATIENCE;

fn pass(host: &Host, time: Duration) -> Result<()> {
    host.command("sleep").arg(time.as_secs().to_string()).run(time + PATIENCE).map(drop)
}

/// The rules are gone that let anybody in whom the router does not know.
fn after_a_firewall_reload_the_flow_that_the_router_knows_is_found_again(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    world.router.flush_upnp_rules()?;
    world.go(Spot::Lan)?;
    session.computes_within(BACK)?;
    world.laptop.interface_down("eth0")?;
    pass(&world.laptop, Duration::from_secs(3))?;
    world.go(Spot::Internet)?;
    session.computes_within(BACK)?;
    ensure!(!world.router.has_upnp_rule(Protocol::Udp, 60_001)?, "the port is mapped again");
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?, [&mapped, LAN_ADDRESS, &mapped]);
    Ok(())
}

/// A session of ours and one of stock mosh; in ours something is typed meanwhile.
fn check_outage(lab: &Lab, down: Duration) -> Result<()> {
    let mut world = World::raise(lab, Spot::Internet)?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    let mut stock = mosh_to_server(&world.laptop, "moshpunch server")?;
    world.stop_router()?;
    session.terminal.type_text("echo typed $((6*7)) meanwhile\r")?;
    pass(&world.laptop, down)?;
    world.boot_router()?;
    wait_until("both mappings", PATIENCE, || {
        let leases = world.router.leases()?;
        let has_rule = |port| world.router.has_upnp_rule(Protocol::Udp, port);
        let mut mapped = leases.iter().map(|lease| has_rule(lease.external_port));
        let all = mapped.try_fold(0, |count, rule| rule.map(|rule| count + u8::from(rule)))?;
        Ok((all == 2).then_some(()))
    })?;
    session.sees_within("typed 42 meanwhile", BACK)?;
    session.computes_within(BACK)?;
    computes(&mut stock, 4_001)
}

fn a_router_that_was_down_for_two_seconds_is_found_again_at_once(lab: &Lab) -> Result<()> {
    check_outage(lab, Duration::from_secs(2))
}

fn a_router_that_was_down_for_ten_seconds_is_found_again_at_once(lab: &Lab) -> Result<()> {
    check_outage(lab, Duration::from_secs(10))
}

fn a_router_that_was_down_for_a_minute_is_found_again_at_once(lab: &Lab) -> Result<()> {
    check_outage(lab, Duration::from_secs(60))
}

/// mosh itself follows such a change.
fn a_nat_that_gives_another_port_is_not_noticed(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::CafeB)?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    let mut stock = mosh_to_server(&world.laptop, "moshpunch server")?;
    for number in 4_001..4_004 {
        world.forget_other_connections()?;
        session.computes_within(BACK)?;
        computes_within(&mut stock, number, BACK)?;
    }
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?, [mapped]);
    Ok(())
}

fn main() -> ExitCode {
    let scenarios = [
        scenario!(after_a_firewall_reload_the_flow_that_the_router_knows_is_found_again),
        scenario!(a_router_that_was_down_for_two_seconds_is_found_again_at_once),
        scenario!(a_router_that_was_down_for_ten_seconds_is_found_again_at_once),
        scenario!(a_router_that_was_down_for_a_minute_is_found_again_at_once)
            .within(Duration::from_secs(300)),
        scenario!(a_nat_that_gives_another_port_is_not_noticed),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&["mosh", "mosh-server", "miniupnpd", "sshd"])))
}
