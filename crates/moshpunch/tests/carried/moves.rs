//! The laptop goes elsewhere, and there ssh is again the only way: by a login in the background.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Blocked, Host, Lab, Signal, scenario, wait_until};

use crate::common::world::{BY_JUMP, LAN_ADDRESS, Spot, Walker, World};
use crate::common::{PATIENCE, keeper, signal};
use crate::out_of_reach::{Behind, FOUND_AGAIN, Hidden};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenarios = vec![
        scenario!(where_the_laptop_may_not_use_udp_a_session_moves),
        scenario!(behind_a_cone_nat_a_session_moves),
        scenario!(behind_a_symmetric_nat_a_session_moves),
        scenario!(behind_a_jump_host_a_session_moves),
        scenario!(behind_a_reverse_tunnel_a_session_moves),
        scenario!(from_ipv6_alone_to_ipv4_alone_a_session_moves),
        scenario!(from_the_hosts_own_network_to_outside_and_back_a_session_moves),
        scenario!(where_nobody_may_use_udp_it_moves_from_the_hosts_own_network_too),
        scenario!(without_its_keeper_a_session_moves),
        scenario!(with_a_keeper_that_is_stopped_a_session_moves),
        scenario!(without_its_users_runtime_directory_a_session_moves),
    ];
    scenarios.into_iter().map(|scenario| scenario.needs(&["miniupnpd"])).collect()
}

fn moves(world: &World, session: &mut Walker, spots: &[Spot]) -> Result<()> {
    spots.iter().try_for_each(|&spot| {
        world.go(spot)?;
        session.computes_within(FOUND_AGAIN).with_context(|| format!("in {spot:?}"))
    })
}

/// Wi-Fi A to B and back.
fn moves_between_cafes(lab: &Lab, behind: Behind) -> Result<()> {
    let hidden = Hidden::raise(lab, behind, Spot::CafeA)?;
    let mut session = hidden.connect()?;
    moves(&hidden.world, &mut session, &[Spot::CafeB, Spot::CafeA])?;
    let paths = session.leave()?;
    ensure!(paths.iter().all(|path| path == "ssh"), "{paths:?}");
    Ok(())
}

fn behind_a_cone_nat_a_session_moves(lab: &Lab) -> Result<()> {
    moves_between_cafes(lab, Behind::ConeNat)
}

fn behind_a_symmetric_nat_a_session_moves(lab: &Lab) -> Result<()> {
    moves_between_cafes(lab, Behind::SymmetricNat)
}

fn behind_a_jump_host_a_session_moves(lab: &Lab) -> Result<()> {
    moves_between_cafes(lab, Behind::JumpHost)
}

fn behind_a_reverse_tunnel_a_session_moves(lab: &Lab) -> Result<()> {
    moves_between_cafes(lab, Behind::ReverseTunnel)
}

/// The host's router maps the port, but the laptop lets nothing out.
fn where_the_laptop_may_not_use_udp_a_session_moves(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::CafeA)?;
    world.laptop.block_udp(Blocked::BothWays)?;
    let mut session = world.connect_by_any_way(&BY_JUMP)?;
    moves(&world, &mut session, &[Spot::CafeB, Spot::CafeA])?;
    let paths = session.leave()?;
    ensure!(paths.iter().all(|path| path == "ssh"), "{paths:?}");
    Ok(())
}

/// By way of networks that have both.
fn from_ipv6_alone_to_ipv4_alone_a_session_moves(lab: &Lab) -> Result<()> {
    let hidden = Hidden::raise(lab, Behind::Ipv4, Spot::Ipv6Only)?;
    let mut session = hidden.connect()?;
    moves(&hidden.world, &mut session, &[Spot::CafeA, Spot::Ipv6Only])?;
    session.leave().map(drop)
}

fn from_the_hosts_own_network_to_outside_and_back_a_session_moves(lab: &Lab) -> Result<()> {
    let hidden = Hidden::raise(lab, Behind::JumpHost, Spot::Lan)?;
    let mut session = hidden.connect()?;
    moves(&hidden.world, &mut session, &[Spot::CafeA, Spot::Lan])?;
    session.computes_within(PATIENCE)?;
    let paths = session.leave()?;
    ensure!(paths.first().is_some_and(|path| path == LAN_ADDRESS), "{paths:?}");
    ensure!(paths.iter().any(|path| path == "ssh"), "{paths:?}");
    Ok(())
}

fn where_nobody_may_use_udp_it_moves_from_the_hosts_own_network_too(lab: &Lab) -> Result<()> {
    let hidden = Hidden::raise(lab, Behind::JumpHost, Spot::Lan)?;
    hidden.world.laptop.block_udp(Blocked::BothWays)?;
    let mut session = hidden.connect()?;
    moves(&hidden.world, &mut session, &[Spot::CafeA, Spot::Lan])?;
    let paths = session.leave()?;
    ensure!(paths.iter().all(|path| path == "ssh"), "{paths:?}");
    Ok(())
}

/// Whatever has happened on the host; and nothing of it is left there.
fn moves_though(lab: &Lab, happens: impl Fn(&Host) -> Result<()>) -> Result<()> {
    let hidden = Hidden::raise(lab, Behind::JumpHost, Spot::CafeA)?;
    let mut session = hidden.connect()?;
    let host = &hidden.world.server;
    happens(host)?;
    moves(&hidden.world, &mut session, &[Spot::CafeB, Spot::CafeA])?;
    let paths = session.leave()?;
    ensure!(paths.iter().all(|path| path == "ssh"), "{paths:?}");
    wait_until("the end of every server command", PATIENCE, || {
        let mut ours = host.processes("moshpunch")?;
        ours.retain(|process| process.arguments.iter().any(|word| word == "server"));
        Ok(ours.is_empty().then_some(()))
    })
}

fn without_its_keeper_a_session_moves(lab: &Lab) -> Result<()> {
    moves_though(lab, |host| signal(&keeper(host)?, Signal::KILL))
}

fn with_a_keeper_that_is_stopped_a_session_moves(lab: &Lab) -> Result<()> {
    moves_though(lab, |host| signal(&keeper(host)?, Signal::STOP))
}

/// As when the last login of the user ends, but for this session.
fn without_its_users_runtime_directory_a_session_moves(lab: &Lab) -> Result<()> {
    moves_though(lab, |host| host.command("rm").args(["-r", "/run/user/1000"]).run(PATIENCE).map(drop))
}
