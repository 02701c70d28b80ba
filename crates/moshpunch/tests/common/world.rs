//! A home with a server, and the places that its owner goes to with a laptop.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, Lab, Link, Miniupnpd, Nat, Protocol, Signal, Sshd, Terminal};

use super::home::LEASE_FILE;
use super::{PATIENCE, be_patient, computes, computes_within, leave_and_read};

pub(crate) struct World {
    pub(crate) router: Host,
    pub(crate) server: Host,
    pub(crate) laptop: Host,
    internet: Link,
    home: Link,
    cafe_a: Link,
    cafe_b: Link,
    nested: Link,
    miniupnpd: Option<Daemon>,
    _routers: [Host; 3],
    _sshds: [Daemon; 2],
}

/// Where the laptop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// At home, on the server's own network.
    Lan,
    /// Directly on the internet, with IPv4 alone.
    Internet,
    /// The same, with IPv6 alone.
    Ipv6Only,
    /// The same, with both.
    DualStack,
    /// Behind the NAT of a café.
    CafeA,
    /// Behind another, which gives each peer a port of its own.
    CafeB,
    /// At home, behind a second router.
    Nested,
}

/// ssh comes in by the router's forward.
pub(crate) const FROM_OUTSIDE: [&str; 2] = ["--ssh=ssh -p 8022", "router"];

/// ssh comes in by way of the router's own sshd, which can be reached by IPv6, too.
pub(crate) const BY_JUMP: [&str; 2] = ["--ssh=ssh -J router", "server"];

pub(crate) const LAN_ADDRESS: &str = "192.168.1.10:60001 (its own private address)";
pub(crate) const IPV6_ADDRESS: &str = "[2a00:7::10]:60001 (its own public address)";

impl World {
    pub(crate) fn raise(lab: &Lab, spot: Spot) -> Result<Self> {
        lab.install(std::path::Path::new(env!("CARGO_BIN_EXE_moshpunch")))?;
        let [internet, home, cafe_a, cafe_b, nested] =
            ["internet", "home", "cafe-a", "cafe-b", "nested"].map(|name| lab.link(name));
        let (internet, home, cafe_a, cafe_b, nested) = (internet?, home?, cafe_a?, cafe_b?, nested?);
        let router = lab
            .host("router")
            .attach("wan0", &internet, &["20.0.0.1/24", "2a00:1::1/64"])
            .attach("lan0", &home, &["192.168.1.1/24", "2a00:7::1/64"])
            .start()?;
        router.nat(&Nat::home("wan0").forward(Protocol::Tcp, 8022, "192.168.1.10:22"))?;
        let server = lab.host("server").attach("eth0", &home, &["192.168.1.10/24", "2a00:7::10/64"]);
        let server = server.default_route("192.168.1.1").default_route("2a00:7::1").start()?;
        be_patient(&server)?;
        let routers = [
            nat(
                lab,
                "cafe-a",
                (&internet, "20.0.0.50/24"),
                (&cafe_a, "10.1.0.1/24"),
                None,
                &Nat::home("wan0"),
            )?,
            nat(
                lab,
                "cafe-b",
                (&internet, "20.0.0.60/24"),
                (&cafe_b, "10.2.0.1/24"),
                None,
                &Nat::symmetric("wan0"),
            )?,
            nat(
                lab,
                "nested",
                (&home, "192.168.1.77/24"),
                (&nested, "172.16.0.1/24"),
                Some("192.168.1.1"),
                &Nat::home("wan0"),
            )?,
        ];
        let sshds = [router.sshd(&Sshd::default())?, server.sshd(&Sshd::default())?];
        let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
        let mut world = Self {
            router,
            server,
            laptop,
            internet,
            home,
            cafe_a,
            cafe_b,
            nested,
            miniupnpd: None,
            _routers: routers,
            _sshds: sshds,
        };
        world.start_miniupnpd()?;
        world.go(spot)?;
        Ok(world)
    }

    pub(crate) fn start_miniupnpd(&mut self) -> Result<()> {
        self.miniupnpd = Some(self.router.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?);
        Ok(())
    }

    /// As when the router loses its power, until it boots again.
    pub(crate) fn lose_mappings(&mut self) -> Result<()> {
        let miniupnpd = self.miniupnpd.take().context("miniupnpd runs")?;
        miniupnpd.signal(Signal::KILL)?;
        miniupnpd.wait_exit(PATIENCE)?;
        self.router.command("rm").arg(LEASE_FILE).run(PATIENCE)?;
        self.router.flush_upnp_rules()
    }

    pub(crate) fn signal_miniupnpd(&self, signal: Signal) -> Result<()> {
        self.miniupnpd.as_ref().context("miniupnpd runs")?.signal(signal)
    }

    /// When it returns, the new link is up.
    pub(crate) fn go(&self, spot: Spot) -> Result<()> {
        let (link, addresses, gateways): (_, &[&str], &[&str]) = match spot {
            Spot::Lan => (&self.home, &["192.168.1.50/24"], &["192.168.1.1"]),
            Spot::Internet => (&self.internet, &["20.0.0.9/24"], &[]),
            Spot::Ipv6Only => (&self.internet, &["2a00:1::9/64"], &["2a00:1::1"]),
            Spot::DualStack => (&self.internet, &["20.0.0.9/24", "2a00:1::9/64"], &["2a00:1::1"]),
            Spot::CafeA => (&self.cafe_a, &["10.1.0.5/24"], &["10.1.0.1"]),
            Spot::CafeB => (&self.cafe_b, &["10.2.0.5/24"], &["10.2.0.1"]),
            Spot::Nested => (&self.nested, &["172.16.0.5/24"], &["172.16.0.1"]),
        };
        self.laptop.join("eth0", link, addresses, gateways)
    }

    pub(crate) fn on_the_internet(&self, lab: &Lab, name: &str, address: &str) -> Result<Host> {
        lab.host(name).attach("eth0", &self.internet, &[address]).start()
    }

    pub(crate) fn connect(&self, words: &[&str]) -> Result<Walker> {
        let log = "--log=/tmp/moshpunch.log";
        let command = self.laptop.command("moshpunch").args(["-v", log]).args(words).as_user(lab::USER);
        let mut terminal = self.laptop.terminal(&command, 50, 160)?;
        terminal.wait_for("alice@server", PATIENCE)?;
        computes(&mut terminal, 7000)?;
        Ok(Walker { laptop: self.laptop.clone(), terminal, typed: 7000 })
    }

    /// What the router maps to the server.
    pub(crate) fn mapped(&self) -> Result<String> {
        let leases = self.router.leases()?;
        let lease = leases
            .iter()
            .find(|lease| lease.internal_address.to_string() == "192.168.1.10")
            .context("a lease")?;
        Ok(format!("20.0.0.1:{} (mapped by its router)", lease.external_port))
    }
}

fn nat(
    lab: &Lab,
    name: &str,
    (outside, outer): (&Link, &str),
    (inside, inner): (&Link, &str),
    gateway: Option<&str>,
    nat: &Nat,
) -> Result<Host> {
    let host = lab.host(name).attach("wan0", outside, &[outer]).attach("lan0", inside, &[inner]);
    let host = gateway.into_iter().fold(host, lab::HostBuilder::default_route).start()?;
    host.nat(nat)?;
    Ok(host)
}

/// Who uses a session while the laptop moves.
pub(crate) struct Walker {
    laptop: Host,
    pub(crate) terminal: Terminal,
    typed: u32,
}

impl Walker {
    pub(crate) fn computes_within(&mut self, within: Duration) -> Result<()> {
        self.typed += 1;
        let computed = computes_within(&mut self.terminal, self.typed, within);
        self.explained(computed)
    }

    pub(crate) fn sees_within(&mut self, text: &str, within: Duration) -> Result<()> {
        self.explained(self.terminal.wait_for(text, within))
    }

    fn explained(&self, result: Result<()>) -> Result<()> {
        result.with_context(|| self.laptop.read_file("/tmp/moshpunch.log").unwrap_or_default())
    }

    /// Ends the session; the moves that it made, by address and kind.
    pub(crate) fn leave(self) -> Result<Vec<String>> {
        let screen = leave_and_read(self.terminal)?;
        let paths = screen.lines().filter_map(|line| line.split_once(" s: ")?.1.split_once(", because "));
        let paths: Vec<_> = paths.map(|(path, _)| path.to_owned()).collect();
        ensure!(!paths.is_empty(), "no paths told:\n{screen}");
        Ok(paths)
    }
}
