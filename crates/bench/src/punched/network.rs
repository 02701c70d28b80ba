//! A home and two cafés behind NATs as home routers have them, and a provider between, where ends what is to come no farther.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Host, Impairment, Lab, Link, Nat, Protocol, WriteUp};

use crate::Bench;

/// For so long the home's router keeps a hole that nothing goes through: longer than mosh is ever silent.
pub(crate) const HOLE_LASTS: Duration = Duration::from_secs(10);

pub(crate) struct Network {
    pub(crate) laptop: Host,
    /// Between the cafés and the provider.
    pub(crate) city: Link,
    cafes: [Cafe; 2],
    _home: WriteUp,
    _provider: Host,
}

struct Cafe {
    inside: Link,
    /// The first three numbers of its addresses.
    prefix: &'static str,
    _router: Host,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Spot {
    CafeA,
    CafeB,
}

impl Network {
    /// The laptop is in the first café. Between the provider and the home's router is a line that does such a thing to packets.
    pub(crate) fn raise(bench: &Bench, lab: &Lab, cafes: &Nat, line: Impairment) -> Result<Self> {
        lab.install(&bench.moshpunch)?;
        let home = WriteUp::raise(lab)?;
        let city = lab.link("city")?;
        let provider = lab.host("provider").attach("east0", &home.internet, &["20.0.0.2/24"]);
        let provider = provider.attach("west0", &city, &["20.0.1.1/24"]).start()?;
        provider.forward_packets()?;
        let nat = Nat::home("wan0").forward(Protocol::Tcp, 8022, "192.168.1.10:22");
        home.router.nat(&nat.udp_timeout(HOLE_LASTS))?;
        home.router.readdress("wan0", &["20.0.0.1/24"], &["20.0.0.2"])?;
        home.internet.impair(line)?;
        let cafes = [
            Cafe::raise(lab, &city, "cafe-a", "20.0.1.50/24", "10.1.0", cafes)?,
            Cafe::raise(lab, &city, "cafe-b", "20.0.1.60/24", "10.2.0", cafes)?,
        ];
        let network = Self { laptop: home.laptop.clone(), city, cafes, _home: home, _provider: provider };
        network.go(Spot::CafeA, 0)?;
        Ok(network)
    }

    /// As a guest of that number, who has an address of their own: what was under way at an earlier visit stays dead.
    pub(crate) fn go(&self, spot: Spot, guest: u32) -> Result<()> {
        let [a, b] = &self.cafes;
        let cafe = match spot {
            Spot::CafeA => a,
            Spot::CafeB => b,
        };
        let address = format!("{}.{}/24", cafe.prefix, 5 + guest % 200);
        self.laptop.join("eth0", &cafe.inside, &[&address], &[&cafe.gateway()]).context("going to a café")
    }
}

impl Cafe {
    fn raise(
        lab: &Lab,
        city: &Link,
        name: &str,
        outside: &str,
        prefix: &'static str,
        nat: &Nat,
    ) -> Result<Self> {
        let inside = lab.link(name)?;
        let router = lab.host(name).attach("wan0", city, &[outside]).default_route("20.0.1.1");
        let router = router.attach("lan0", &inside, &[&format!("{prefix}.1/24")]).start()?;
        router.nat(nat)?;
        Ok(Self { inside, prefix, _router: router })
    }

    fn gateway(&self) -> String {
        format!("{}.1", self.prefix)
    }
}
