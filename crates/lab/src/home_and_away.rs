//! A home with a server behind a router that maps ports, and the places that its owner goes to with a laptop.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::host::{Host, HostBuilder};
use crate::lab::Lab;
use crate::link::Link;
use crate::miniupnpd::{LEASE_FILE, Miniupnpd};
use crate::nat::{Nat, Protocol};
use crate::sshd::Sshd;

/// How long a program may take to end, or to do a little work.
const PATIENCE: Duration = Duration::from_secs(20);

/// sshd runs on router and server, and the router's TCP port 8022 leads to the server's port 22. IPv6 passes the router's
/// firewall by pinholes alone.
#[derive(Debug)]
#[must_use = "its programs end when it is dropped"]
pub struct HomeAndAway {
    pub router: Host,
    pub server: Host,
    pub laptop: Host,
    internet: Link,
    home: Link,
    cafe_a: Link,
    cafe_b: Link,
    nested: Link,
    miniupnpd: Option<Daemon>,
    other_routers: [Host; 3],
    _sshds: [Daemon; 2],
}

/// Where the laptop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
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

impl HomeAndAway {
    /// # Errors
    /// When a part does not start.
    pub fn raise(lab: &Lab, spot: Spot) -> Result<Self> {
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
        let mut places = Self {
            router,
            server,
            laptop,
            internet,
            home,
            cafe_a,
            cafe_b,
            nested,
            miniupnpd: None,
            other_routers: routers,
            _sshds: sshds,
        };
        places.start_miniupnpd()?;
        places.go(spot)?;
        Ok(places)
    }

    /// # Errors
    /// When it does not start.
    pub fn start_miniupnpd(&mut self) -> Result<()> {
        self.miniupnpd = Some(self.router.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?);
        Ok(())
    }

    /// As when the router loses its power, until it boots again.
    ///
    /// # Errors
    /// When it does not run.
    pub fn lose_mappings(&mut self) -> Result<()> {
        let miniupnpd = self.miniupnpd.take().context("miniupnpd runs")?;
        miniupnpd.signal(Signal::KILL)?;
        miniupnpd.wait_exit(PATIENCE)?;
        self.router.command("rm").args(["-f", LEASE_FILE]).run(PATIENCE)?;
        self.router.flush_upnp_rules()
    }

    /// The router loses its power, and with it every mapping and connection.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop_router(&mut self) -> Result<()> {
        for interface in ["wan0", "lan0"] {
            self.router.interface_down(interface)?;
        }
        self.lose_mappings()?;
        self.router.forget_connections()
    }

    /// It forwards at once, and maps ports a moment later.
    ///
    /// # Errors
    /// When miniupnpd does not start.
    pub fn boot_router(&mut self) -> Result<()> {
        for interface in ["wan0", "lan0"] {
            self.router.interface_up(interface)?;
        }
        self.start_miniupnpd()
    }

    /// The routers of the cafés, and the one within the home, forget who is behind which port.
    ///
    /// # Errors
    /// When a kernel cannot.
    pub fn forget_other_connections(&self) -> Result<()> {
        self.other_routers.iter().try_for_each(Host::forget_connections)
    }

    /// # Errors
    /// When it does not run.
    pub fn signal_miniupnpd(&self, signal: Signal) -> Result<()> {
        self.miniupnpd.as_ref().context("miniupnpd runs")?.signal(signal)
    }

    /// When it returns, the new link is up.
    ///
    /// # Errors
    /// When the lab has ended.
    pub fn go(&self, spot: Spot) -> Result<()> {
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

    /// Another host there.
    ///
    /// # Errors
    /// When its address is not one.
    pub fn on_the_internet(&self, lab: &Lab, name: &str, address: &str) -> Result<Host> {
        lab.host(name).attach("eth0", &self.internet, &[address]).start()
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
    let host = gateway.into_iter().fold(host, HostBuilder::default_route).start()?;
    host.nat(nat)?;
    Ok(host)
}
