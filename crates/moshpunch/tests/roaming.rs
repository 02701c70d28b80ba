//! A session that survives every move.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use common::PATIENCE;
use common::home::nft;
use common::world::{BY_JUMP, FROM_OUTSIDE, IPV6_ADDRESS, LAN_ADDRESS, Spot, World};
use lab::{Lab, Signal, scenario};

/// What is typed once a link is up is to be echoed at once. `make bench` measures how soon; these machines are busy.
const SOON: Duration = PATIENCE;

/// mosh-client alone would tell of itself 3 s after its last datagram.
const WITHOUT_TYPING: Duration = Duration::from_millis(2_500);

/// Within which a session whose server has moved is to be found again: the first alarm, and a login on a busy machine.
const FOUND_AGAIN: Duration = Duration::from_secs(60);

fn from_lan_to_internet_and_back(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Lan)?;
    let mut session = world.connect(&["-4", "server"])?;
    world.go(Spot::Internet)?;
    session.computes_within(SOON)?;
    world.go(Spot::Lan)?;
    session.computes_within(SOON)?;
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?, [LAN_ADDRESS, &mapped, LAN_ADDRESS]);
    Ok(())
}

fn from_one_nat_to_another(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::CafeA)?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    world.go(Spot::CafeB)?;
    session.computes_within(SOON)?;
    world.go(Spot::CafeA)?;
    session.computes_within(SOON)?;
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?, [mapped]);
    Ok(())
}

fn from_ipv4_alone_to_ipv6_alone(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    world.go(Spot::Ipv6Only)?;
    session.computes_within(SOON)?;
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?, [&mapped, IPV6_ADDRESS]);
    Ok(())
}

fn an_idle_session_moves_without_typing(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Lan)?;
    let mut session = world.connect(&["-4", "server"])?;
    world.server.command("mkfifo").arg("/tmp/place").as_user(lab::USER).run(SOON)?;
    for spot in [Spot::CafeA, Spot::CafeB, Spot::Lan] {
        let shown = format!("moved to {spot:?}");
        session.terminal.type_text("read -r place </tmp/place; echo moved to $place; echo\r")?;
        session.terminal.wait_for("$place; echo", SOON)?;
        world.go(spot)?;
        let place = format!("echo {spot:?} >/tmp/place");
        world.server.command("sh").args(["-c", &place]).as_user(lab::USER).run(SOON)?;
        session.sees_within(&shown, WITHOUT_TYPING)?;
    }
    session.leave().map(drop)
}

fn a_router_with_a_new_address_is_found_again(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::CafeA)?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    let mapped = world.mapped()?;
    world.router.readdress("wan0", &["20.0.0.2/24"], &[])?;
    // Neighbours that know the router's hardware address would go on to reach it.
    let former = "type filter hook prerouting priority raw; ip daddr 20.0.0.1 drop;";
    nft(&world.router, &format!("table inet former {{ chain prerouting {{ {former} }}; }}\n"))?;
    world.signal_miniupnpd(Signal::USR1)?;
    session.computes_within(FOUND_AGAIN)?;
    let paths = session.leave()?;
    let found = paths.last().is_some_and(|path| path.starts_with("20.0.0.2:60001 "));
    ensure!(paths.len() == 2 && paths[0] == mapped && found, "{paths:?}");
    Ok(())
}

/// Its router has lost all mappings, and the port is now taken: the keeper gets another one, and the client asks.
fn a_session_with_a_new_port_is_found_again(lab: &Lab) -> Result<()> {
    let mut world = World::raise(lab, Spot::CafeA)?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    world.lose_mappings()?;
    let _taken = world.router.udp("20.0.0.1:60001")?;
    world.start_miniupnpd()?;
    world.go(Spot::CafeB)?;
    session.computes_within(FOUND_AGAIN)?;
    let mapped = world.mapped()?;
    assert_ne!(mapped, "20.0.0.1:60001 (mapped by its router)");
    assert_eq!(session.leave()?.last(), Some(&mapped));
    Ok(())
}

/// Within a second, as the simulation of `path` holds; these machines are busy.
fn a_path_that_dies_silently_is_soon_left_for_another(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::DualStack)?;
    let mut session = world.connect(&BY_JUMP)?;
    let dead = "type filter hook forward priority -10; meta nfproto ipv6 drop;";
    nft(&world.router, &format!("table inet dead {{ chain forward {{ {dead} }}; }}\n"))?;
    session.computes_within(SOON)?;
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?, [IPV6_ADDRESS, &mapped]);
    Ok(())
}

fn main() -> ExitCode {
    let scenarios = [
        scenario!(from_lan_to_internet_and_back),
        scenario!(from_one_nat_to_another),
        scenario!(from_ipv4_alone_to_ipv6_alone),
        scenario!(an_idle_session_moves_without_typing),
        scenario!(a_router_with_a_new_address_is_found_again),
        scenario!(a_session_with_a_new_port_is_found_again),
        scenario!(a_path_that_dies_silently_is_soon_left_for_another),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&["mosh", "mosh-server", "miniupnpd", "sshd"])))
}
