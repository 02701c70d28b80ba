//! Connections of ssh that serve several logins.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, USER, scenario, wait_until};

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::common::world::{Spot, World};
use crate::place::PASSWORD;
use crate::silence::{Session, Way, by_each_way};

/// The first alarm, and a login.
const FOUND_AGAIN: Duration = Duration::from_secs(60);

const MULTIPLEXED: &str = " ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist 10m\n";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let by_each_way = [
        by_each_way!(where_only_a_password_opens_the_master_serves_in_the_same_network),
        by_each_way!(a_master_that_has_ended_is_not_replaced_by_a_login_that_is_refused),
    ];
    let by_one = [
        scenario!(a_master_that_the_routers_new_address_has_cut_off_is_not_used),
        scenario!(nor_is_one_to_a_jump_host),
        scenario!(a_master_of_before_a_move_is_not_used),
    ];
    by_each_way.into_iter().flatten().chain(by_one).collect()
}

/// ssh goes to an address of the router that leads to no session.
const FOR_SSH: &str = "20.0.0.3";

const HOME: &str = "Host home\n HostName 20.0.0.3\n Port 8022\n";
const BEHIND_A_JUMP_HOST: &str =
    "Host home\n HostName 192.168.1.10\n ProxyJump gw\nHost gw\n HostName 20.0.0.3\n";

fn with_master(lab: &Lab, spot: Spot, configuration: &str) -> Result<World> {
    let world = World::raise(lab, spot)?;
    world.router.readdress("wan0", &["20.0.0.1/24", "20.0.0.3/24", "2a00:1::1/64"], &[])?;
    drop_at_router(&world, "for_ssh", &format!("ip daddr {FOR_SSH} udp dport 60000-60999"))?;
    world.laptop.write_user_file("/home/alice/.ssh/config", &format!("{configuration}{MULTIPLEXED}"))?;
    world.laptop.command("ssh").args(["home", "true"]).as_user(USER).run(PATIENCE)?;
    Ok(world)
}

fn drop_at_router(world: &World, table: &str, what: &str) -> Result<()> {
    let rules = format!("type filter hook prerouting priority raw; {what} drop;");
    nft(&world.router, &format!("table inet {table} {{ chain prerouting {{ {rules} }}; }}\n"))
}

fn port_of_the_master(world: &World) -> Result<String> {
    let connections = ["-tnH", "state", "established", "dst", FOR_SSH];
    let listed = world.laptop.command("ss").args(connections).run(PATIENCE)?.stdout;
    let port = listed.split_whitespace().nth(2).and_then(|address| address.rsplit_once(':'));
    Ok(port.with_context(|| format!("one connection: {listed}"))?.1.to_owned())
}

fn a_master_that_the_routers_new_address_has_cut_off_is_not_used(lab: &Lab) -> Result<()> {
    cut_off(&with_master(lab, Spot::Internet, HOME)?)
}

fn nor_is_one_to_a_jump_host(lab: &Lab) -> Result<()> {
    cut_off(&with_master(lab, Spot::Internet, BEHIND_A_JUMP_HOST)?)
}

/// No datagram tells the laptop of it.
fn cut_off(world: &World) -> Result<()> {
    let mut session = world.connect(&["home"])?;
    drop_at_router(world, "dead", &format!("tcp sport {}", port_of_the_master(world)?))?;
    world.router.readdress("wan0", &["20.0.0.2/24", "20.0.0.3/24"], &[])?;
    // Neighbours that know the router's hardware address would go on to reach it.
    drop_at_router(world, "former", "ip daddr 20.0.0.1")?;
    world.signal_miniupnpd(Signal::USR1)?;
    session.computes_within(FOUND_AGAIN)?;
    let paths = session.leave()?;
    ensure!(paths.last().is_some_and(|path| path.starts_with("20.0.0.2:60001 ")), "{paths:?}");
    Ok(())
}

fn a_master_of_before_a_move_is_not_used(lab: &Lab) -> Result<()> {
    let mut world = with_master(lab, Spot::CafeA, HOME)?;
    let mut session = world.connect(&["home"])?;
    world.lose_mappings()?;
    let _taken = world.router.udp("20.0.0.1:60001")?;
    world.start_miniupnpd()?;
    world.go(Spot::CafeB)?;
    session.computes_within(FOUND_AGAIN)?;
    let mapped = world.mapped()?;
    assert_eq!(session.leave()?.last(), Some(&mapped));
    Ok(())
}

fn by_password_with_master(lab: &Lab, way: Way) -> Result<Session> {
    let options = ["PasswordAuthentication yes", "PubkeyAuthentication no"];
    let configuration = format!("Host router\n Port 2222\n{MULTIPLEXED}");
    let mut session = Session::prepare(lab, way, &options, &configuration)?;
    session.shell.run("ssh router true")?;
    session.shell.answer("alice@router's password:", PASSWORD)?;
    session.shell.is_back("0")?;
    session.run("clear; moshpunch router")?;
    session.begins_on("router")?;
    session.falls_silent()?;
    Ok(session)
}

/// `ssh router true`, the first login, and one in the background.
fn where_only_a_password_opens_the_master_serves_in_the_same_network(lab: &Lab, way: Way) -> Result<()> {
    let mut session = by_password_with_master(lab, way)?;
    let sshd = |text: &str| session.place.sshd.log().matches(text).count();
    let served = || Ok((sshd("Starting session: command") == 3).then_some(()));
    wait_until("a login by the master", PATIENCE, served)?;
    assert_eq!((sshd("Accepted password"), sshd("Connection closed by authenticating user")), (1, 1));
    session.is_heard_again()?;
    session.shell.run("exit")?;
    session.shell.is_back("0")
}

fn a_master_that_has_ended_is_not_replaced_by_a_login_that_is_refused(lab: &Lab, way: Way) -> Result<()> {
    let mut session = by_password_with_master(lab, way)?;
    session.place.laptop().command("ssh").args(["-O", "exit", "router"]).as_user(USER).run(PATIENCE)?;
    session.waits_for_alarm(3)?;
    let log = session.place.sshd.log();
    assert_eq!(log.matches("Connection closed by authenticating user").count(), 1, "{log}");
    session.is_heard_again()?;
    session.shell.run("exit")?;
    session.shell.is_back("0")
}
