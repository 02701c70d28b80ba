//! Many servers behind one router, and routers behind routers: nobody takes what is another's.

mod common;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::home::nft;
use common::program;
use common::{PATIENCE, end_sessions, no_moshpunch_is_left, wait_for_empty_table};
use lab::{Host, Lab, Link, Miniupnpd, Nat, Output, Protocol, scenario};

/// How long fifty servers may take on a machine of two cores, which stands for fifty-one: longer than their budget.
const PATIENCE_WITH_FIFTY: Duration = Duration::from_secs(180);

fn install(lab: &Lab) -> Result<()> {
    lab.install(&program::path())
}

/// What `ssh` would run on a server for a client outside.
fn start_session(server: &Host, address: &str, arguments: &[&str]) -> Result<Output> {
    let command = server.command("moshpunch").arg("server").args(arguments);
    let command = command.args(["new", "-p", "60001:60999", "-s"]).as_user(lab::USER);
    command.env("SSH_CONNECTION", format!("20.0.0.9 40000 {address} 22")).run(PATIENCE_WITH_FIFTY)
}

fn told_port(output: &Output) -> Result<u16> {
    let line = output.stdout.lines().find_map(|line| line.strip_prefix("MOSH CONNECT "));
    let port = line.and_then(|line| line.split(' ').next()).context("no connect line")?;
    Ok(port.parse()?)
}

fn fifty_servers_ask_at_once(lab: &Lab, configuration: Miniupnpd) -> Result<()> {
    install(lab)?;
    let (internet, home) = (lab.link("internet")?, lab.link("home")?);
    let router = raise_router(lab, "router", (&internet, "20.0.0.1/24"), (&home, "192.168.1.1/24"))?;
    let _miniupnpd = router.miniupnpd(&configuration)?;
    let server = |number: u8| {
        let address = format!("192.168.1.{}", 100 + number);
        let host = lab.host(&format!("server{number}")).attach("eth0", &home, &[&format!("{address}/24")]);
        Ok((host.default_route("192.168.1.1").start()?, address))
    };
    let servers = (0..50).map(server).collect::<Result<Vec<_>>>()?;

    let ask = |(server, address): &(Host, String)| -> Result<(u16, String)> {
        let output = start_session(server, address, &["--budget", "60"])?;
        ensure!(!output.stderr.contains("moshpunch:"), "{output:?}");
        Ok((told_port(&output)?, address.clone()))
    };
    let mut told: Vec<(u16, String)> = thread::scope(|scope| {
        let asked: Vec<_> = servers.iter().map(|server| scope.spawn(move || ask(server))).collect();
        asked.into_iter().map(|asked| asked.join().expect("no panic")).collect::<Result<_>>()
    })?;

    let leases = router.leases()?;
    ensure!(leases.iter().all(|lease| lease.internal_port == 60001), "{leases:?}");
    let mut listed: Vec<_> =
        leases.iter().map(|lease| (lease.external_port, lease.internal_address.to_string())).collect();
    told.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, told, "the table holds what the servers were told");
    told.dedup_by_key(|(port, _)| *port);
    assert_eq!(told.len(), 50, "{told:?}");
    for (port, _) in told {
        ensure!(router.has_upnp_rule(Protocol::Udp, port)?, "no rule for {port}");
    }

    servers.iter().try_for_each(|(server, _)| end_sessions(server))?;
    wait_for_empty_table(&router, PATIENCE)
}

fn fifty_servers_that_ask_at_once_by_every_protocol_get_a_port_each(lab: &Lab) -> Result<()> {
    fifty_servers_ask_at_once(lab, Miniupnpd::new("wan0", "lan0"))
}

fn fifty_servers_that_ask_at_once_by_upnp_alone_get_a_port_each(lab: &Lab) -> Result<()> {
    fifty_servers_ask_at_once(lab, Miniupnpd { nat_pmp_and_pcp: false, ..Miniupnpd::new("wan0", "lan0") })
}

fn raise_router(lab: &Lab, name: &str, outside: (&Link, &str), inside: (&Link, &str)) -> Result<Host> {
    let router = lab.host(name).attach("wan0", outside.0, &[outside.1]).attach("lan0", inside.0, &[inside.1]);
    let router = router.start()?;
    router.nat(&Nat::home("wan0"))?;
    Ok(router)
}

/// Two servers behind a router of their own, which to the outer router is one client: 10.0.0.2.
struct TwoRouters {
    outer: Host,
    inner: Host,
    servers: [(Host, &'static str); 2],
}

impl TwoRouters {
    fn raise(lab: &Lab) -> Result<Self> {
        install(lab)?;
        let (internet, between, home) = (lab.link("internet")?, lab.link("between")?, lab.link("home")?);
        let outer = raise_router(lab, "outer", (&internet, "20.0.0.1/24"), (&between, "10.0.0.1/24"))?;
        let inner = raise_router(lab, "inner", (&between, "10.0.0.2/24"), (&home, "192.168.1.1/24"))?;
        inner.command("ip").args(["route", "add", "default", "via", "10.0.0.1"]).run(PATIENCE)?;
        let server = |name, address: &'static str| -> Result<_> {
            let host = lab.host(name).attach("eth0", &home, &[&format!("{address}/24")]);
            Ok((host.default_route("192.168.1.1").start()?, address))
        };
        let servers = [server("server1", "192.168.1.10")?, server("server2", "192.168.1.11")?];
        Ok(Self { outer, inner, servers })
    }

    /// What the servers' users read, once both sessions have come and gone; the outer router's table stays as it was.
    fn lines(&self) -> Result<Vec<String>> {
        let before = self.outer.leases()?;
        assert_eq!(before.len(), 1, "the inner router has a mapping of its own: {before:?}");
        let mut lines = Vec::new();
        for (server, address) in &self.servers {
            let output = start_session(server, address, &["--budget", "6"])?;
            assert_eq!(told_port(&output)?, 60001, "as mosh-server has it: {output:?}");
            lines.extend(
                output.stderr.lines().filter_map(|line| line.strip_prefix("moshpunch: ")).map(str::to_owned),
            );
            assert_eq!(self.outer.leases()?, before);
        }
        for (server, _) in &self.servers {
            end_sessions(server)?;
            no_moshpunch_is_left(server)?;
        }
        assert_eq!(self.outer.leases()?, before);
        assert_eq!(lines.len(), self.servers.len(), "one line each: {lines:?}");
        Ok(lines)
    }
}

/// The inner router's own mapping, on the port that both servers would like to have.
fn map_60001_for_the_inner_router(network: &TwoRouters) -> Result<()> {
    let natpmpc = ["-g", "10.0.0.1", "-a", "60001", "60001", "udp", "3600"];
    network.inner.command("natpmpc").args(natpmpc).run(PATIENCE).map(drop)
}

fn a_router_behind_a_nat_is_named_and_maps_nothing(lab: &Lab) -> Result<()> {
    let network = TwoRouters::raise(lab)?;
    let miniupnpd = Miniupnpd::new("wan0", "lan0");
    let _miniupnpds = [network.outer.miniupnpd(&miniupnpd)?, network.inner.miniupnpd(&miniupnpd)?];
    map_60001_for_the_inner_router(&network)?;
    for line in network.lines()? {
        let cause = "the router 192.168.1.1 is itself behind a NAT (its own address is 10.0.0.2)";
        ensure!(line.starts_with(cause), "{line}");
    }
    Ok(())
}

/// The inner router maps nothing, but hands every question to the outer one, in its own name.
fn a_gateway_beyond_another_nat_is_named_and_maps_nothing(lab: &Lab) -> Result<()> {
    let network = TwoRouters::raise(lab)?;
    let _miniupnpd = network.outer.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?;
    let chain = "type nat hook prerouting priority -100; iifname lan0 udp dport 5351 dnat to 10.0.0.1;";
    nft(&network.inner, &format!("table ip proxy {{ chain prerouting {{ {chain} }}; }}\n"))?;
    map_60001_for_the_inner_router(&network)?;
    for line in network.lines()? {
        ensure!(
            line.starts_with("another NAT stands between this host and the router 192.168.1.1"),
            "{line}"
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run(
        [
            scenario!(fifty_servers_that_ask_at_once_by_every_protocol_get_a_port_each),
            scenario!(fifty_servers_that_ask_at_once_by_upnp_alone_get_a_port_each),
            scenario!(a_router_behind_a_nat_is_named_and_maps_nothing),
            scenario!(a_gateway_beyond_another_nat_is_named_and_maps_nothing),
        ]
        .map(|scenario| {
            scenario.needs(&["mosh-server", "miniupnpd", "natpmpc"]).within(3 * PATIENCE_WITH_FIFTY)
        }),
    )
}
