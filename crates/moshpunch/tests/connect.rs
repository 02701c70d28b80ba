//! Our own client finds the best candidate, wherever it is.

mod common;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use common::world::{BY_JUMP, FROM_OUTSIDE, IPV6_ADDRESS, LAN_ADDRESS, Spot, World};
use common::{PATIENCE, no_moshpunch_is_left, wait_for_empty_table};
use lab::{Lab, scenario};

fn from_outside_a_session_goes_over_the_mapped_port(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let session = world.connect(&FROM_OUTSIDE)?;
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?, [mapped]);
    wait_for_empty_table(&world.router, PATIENCE)?;
    no_moshpunch_is_left(&world.laptop)
}

fn on_the_servers_own_network_it_goes_straight_there(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Lan)?;
    let session = world.connect(&["-4", "server"])?;
    assert_eq!(session.leave()?, [LAN_ADDRESS]);
    Ok(())
}

fn behind_a_second_nat_at_home_it_goes_straight_there(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Nested)?;
    let session = world.connect(&["server"])?;
    assert_eq!(session.leave()?, [LAN_ADDRESS]);
    Ok(())
}

fn with_ipv6_it_goes_through_the_routers_firewall(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Ipv6Only)?;
    let session = world.connect(&BY_JUMP)?;
    assert_eq!(session.leave()?, [IPV6_ADDRESS]);
    Ok(())
}

fn through_a_jump_host_to_a_host_on_ones_own_network_it_goes_straight_there(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Lan)?;
    let session = world.connect(&["-4", "--ssh=ssh -J router", "server"])?;
    assert_eq!(session.leave()?, [LAN_ADDRESS]);
    Ok(())
}

fn in_tmux_it_attaches_and_detaches(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let words = [&["--tmux=work"], &FROM_OUTSIDE[..]].concat();
    let mut session = world.connect(&words)?;
    session.sees_within("[work]", PATIENCE)?;
    session.terminal.type_text("\x02d")?;
    ensure!(session.terminal.wait_exit(PATIENCE)?.success());
    let list = world.server.command("tmux").arg("list-sessions").as_user(lab::USER).run(PATIENCE)?;
    ensure!(list.stdout.starts_with("work: "), "{list}");
    Ok(())
}

fn main() -> ExitCode {
    let scenarios = [
        scenario!(from_outside_a_session_goes_over_the_mapped_port),
        scenario!(on_the_servers_own_network_it_goes_straight_there),
        scenario!(behind_a_second_nat_at_home_it_goes_straight_there),
        scenario!(with_ipv6_it_goes_through_the_routers_firewall),
        scenario!(through_a_jump_host_to_a_host_on_ones_own_network_it_goes_straight_there),
        scenario!(in_tmux_it_attaches_and_detaches).needs(&["tmux"]),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&["mosh", "mosh-server", "miniupnpd", "sshd"])))
}
