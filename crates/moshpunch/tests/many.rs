//! Many sessions at the same moment: a router that answers slowly, one question at a time, serves them all.

mod common;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::program;
use common::{PATIENCE, computes, end_sessions, leave, mosh_through, wait_for_empty_table};
use fake_gateway::FakeGateway;
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, Protocol, Sshd, Terminal, scenario, wait_until};

const SERVERS: u8 = 3;
const SESSIONS_PER_SERVER: u8 = 6;

/// Three servers, each reached through a port of the router, and a laptop outside.
struct Household {
    router: Host,
    servers: Vec<Host>,
    laptop: Host,
    _sshds: Vec<Daemon>,
}

fn ssh_port(server: u8) -> u16 {
    8022 + u16::from(server)
}

fn address(server: u8) -> String {
    format!("192.168.1.{}", 10 + server)
}

impl Household {
    fn raise(lab: &Lab) -> Result<Self> {
        lab.install(&program::path())?;
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24"]);
        let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
        let nat = (0..SERVERS).try_fold(Nat::home("wan0"), |nat, server| -> Result<Nat> {
            Ok(nat.forward(Protocol::Tcp, ssh_port(server), &format!("{}:22", address(server))))
        })?;
        router.nat(&nat)?;
        let server = |server: u8| {
            let host = lab.host(&format!("server{server}"));
            let host = host.attach("eth0", &home, &[&format!("{}/24", address(server))]);
            host.default_route("192.168.1.1").start()
        };
        let servers = (0..SERVERS).map(server).collect::<Result<Vec<_>>>()?;
        let sshds = servers.iter().map(|server| server.sshd(&Sshd::default())).collect::<Result<Vec<_>>>()?;
        let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
        Ok(Self { router, servers, laptop, _sshds: sshds })
    }

    /// A stock client's login to each server six times at the same moment.
    fn log_in_everywhere(&self) -> Result<Vec<Terminal>> {
        let open = |number: u8| {
            mosh_through(&self.laptop, "router", ssh_port(number % SERVERS), "moshpunch server")
                .with_context(|| format!("session {number}"))
        };
        let outcomes: Vec<Result<Terminal>> = thread::scope(|scope| {
            let openings: Vec<_> =
                (0..SERVERS * SESSIONS_PER_SERVER).map(|number| scope.spawn(move || open(number))).collect();
            openings.into_iter().map(|opening| opening.join().expect("no panic")).collect()
        });
        let count = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let (all, table) = (outcomes.len(), self.router.leases()?);
        outcomes
            .into_iter()
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("{count} of {all} sessions work; in the table: {table:?}"))
    }
}

fn eighteen_stock_logins_at_the_same_moment_all_work(lab: &Lab) -> Result<()> {
    let household = Household::raise(lab)?;
    let permissions = ["allow 60000-60023 192.168.1.0/24 60000-60023", "deny 0-65535 0.0.0.0/0 0-65535"];
    let permissions = permissions.map(str::to_owned).to_vec();
    let miniupnpd = Miniupnpd { permissions, ..Miniupnpd::new("wan0", "lan0") };
    let _miniupnpd = household.router.miniupnpd(&miniupnpd)?;
    let mut terminals = household.log_in_everywhere()?;
    for (number, terminal) in (7001..).zip(&mut terminals) {
        computes(terminal, number)?;
    }
    let leases = household.router.leases()?;
    ensure!(leases.len() == terminals.len(), "one mapping each: {leases:?}");
    for terminal in terminals {
        leave(terminal)?;
    }
    wait_for_empty_table(&household.router, PATIENCE)
}

/// What `ssh` would run on a server for a stock client outside.
fn start_session(servers: &[Host], server: u8) -> Result<Told> {
    let address = address(server);
    let command = servers[usize::from(server)].command("moshpunch").args(["server", "new", "-s"]);
    let ssh = format!("20.0.0.9 40000 {address} 22");
    let output = command.as_user(lab::USER).env("SSH_CONNECTION", ssh).run(PATIENCE)?;
    let line = output.stdout.lines().find_map(|line| line.strip_prefix("MOSH CONNECT "));
    let port = line.and_then(|line| line.split(' ').next()).context("no connect line")?.parse()?;
    let lines = output.stderr.lines().filter_map(|line| line.strip_prefix("moshpunch: "));
    Ok(Told { address: address.parse()?, port, lines: lines.map(str::to_owned).collect() })
}

/// On each server six times at the same moment.
fn start_everywhere(servers: &[Host]) -> Result<Vec<Told>> {
    thread::scope(|scope| {
        let start = |number: u8| start_session(servers, number % SERVERS);
        let starts: Vec<_> =
            (0..SERVERS * SESSIONS_PER_SERVER).map(|number| scope.spawn(move || start(number))).collect();
        starts.into_iter().map(|start| start.join().expect("no panic")).collect()
    })
}

#[derive(Debug)]
struct Told {
    address: Ipv4Addr,
    port: u16,
    lines: Vec<String>,
}

impl Told {
    /// Whether nothing is said but that it takes long.
    fn is_promised(&self) -> bool {
        self.lines.iter().all(|line| line == WAITS)
    }
}

const WAITS: &str = "the router is slow to answer; waiting for it";

/// A router whose one process takes so long for each answer of each protocol.
const WORK: Duration = Duration::from_millis(300);

fn slow_router(router: &Host, protocols: &[fake_gateway::Protocol]) -> Result<FakeGateway> {
    let builder = FakeGateway::builder().protocols(protocols).allowed(60000..=60023).one_at_a_time(WORK);
    router.inside(|| Ok(builder.bind("192.168.1.1".parse()?)?))
}

/// The external ports of those that were promised one, and which server each leads to.
fn promised(told: &[Told]) -> Vec<(u16, Ipv4Addr)> {
    let promised = told.iter().filter(|told| told.is_promised());
    let mut promised: Vec<_> = promised.map(|told| (told.port, told.address)).collect();
    promised.sort_unstable();
    promised
}

fn mapped(gateway: &FakeGateway) -> Vec<(u16, Ipv4Addr)> {
    let mappings = gateway.mappings();
    let mut mapped: Vec<_> = mappings.iter().map(|it| (it.external_port, it.client)).collect();
    mapped.sort_unstable();
    mapped
}

/// Each server has had a session before, and knows who answers.
fn eighteen_sessions_get_a_port_each_by(lab: &Lab, protocols: &[fake_gateway::Protocol]) -> Result<()> {
    let household = Household::raise(lab)?;
    let gateway = slow_router(&household.router, protocols)?;
    for server in 0..SERVERS {
        start_session(&household.servers, server)?;
    }
    household.servers.iter().try_for_each(end_sessions)?;
    wait_until("an empty table", PATIENCE, || Ok(gateway.mappings().is_empty().then_some(())))?;
    let told = start_everywhere(&household.servers)?;
    let promised = promised(&told);
    ensure!(promised.len() == 18, "{} of 18: {told:?}; {:?}", promised.len(), gateway.counters());
    assert_eq!(mapped(&gateway), promised, "the table holds what the users were told");
    household.servers.iter().try_for_each(end_sessions)?;
    wait_until("an empty table", PATIENCE, || Ok(gateway.mappings().is_empty().then_some(())))
}

fn eighteen_sessions_get_a_port_each_by_pcp_of_a_router_that_is_slow(lab: &Lab) -> Result<()> {
    eighteen_sessions_get_a_port_each_by(lab, &[fake_gateway::Protocol::Pcp])
}

fn eighteen_sessions_get_a_port_each_by_pcp_beside_all_else_that_is_slow(lab: &Lab) -> Result<()> {
    use fake_gateway::Protocol::{NatPmp, Pcp, Upnp};
    eighteen_sessions_get_a_port_each_by(lab, &[Pcp, NatPmp, Upnp])
}

/// Seven questions each are more than such a router can answer in time.
fn who_comes_late_at_a_router_that_is_slow_by_upnp_is_told_the_truth(lab: &Lab) -> Result<()> {
    who_comes_late_is_told_the_truth(lab, fake_gateway::Protocol::Upnp)
}

fn who_comes_late_at_a_slow_router_that_nobody_knows_is_told_the_truth(lab: &Lab) -> Result<()> {
    who_comes_late_is_told_the_truth(lab, fake_gateway::Protocol::Pcp)
}

fn who_comes_late_is_told_the_truth(lab: &Lab, protocol: fake_gateway::Protocol) -> Result<()> {
    let household = Household::raise(lab)?;
    let gateway = slow_router(&household.router, &[protocol])?;
    let told = start_everywhere(&household.servers)?;
    let (promised, table) = (promised(&told), mapped(&gateway));
    for mapping in &promised {
        ensure!(table.contains(mapping), "{mapping:?} was promised: {table:?}");
    }
    let late = told.iter().filter(|told| !told.is_promised());
    for Told { port, lines, .. } in late {
        ensure!((60001..=60006).contains(port), "as mosh-server has it: {told:?}");
        ensure!(lines.last().is_some_and(|line| line != WAITS), "{lines:?}");
    }
    household.servers.iter().try_for_each(end_sessions)
}

fn main() -> ExitCode {
    lab::harness::run(
        [
            scenario!(eighteen_stock_logins_at_the_same_moment_all_work),
            scenario!(eighteen_sessions_get_a_port_each_by_pcp_of_a_router_that_is_slow),
            scenario!(eighteen_sessions_get_a_port_each_by_pcp_beside_all_else_that_is_slow),
            scenario!(who_comes_late_at_a_slow_router_that_nobody_knows_is_told_the_truth),
            scenario!(who_comes_late_at_a_router_that_is_slow_by_upnp_is_told_the_truth),
        ]
        .map(|scenario| scenario.needs(&["mosh", "sshd", "miniupnpd"]).within(Duration::from_secs(240))),
    )
}
