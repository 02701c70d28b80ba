//! The network of the write-up that moshpunch comes from.

use anyhow::Result;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::lab::Lab;
use crate::link::Link;
use crate::miniupnpd::Miniupnpd;
use crate::nat::{Nat, Protocol};
use crate::sshd::Sshd;

/// `Server <---> NAT Router <---> My Laptop`. The laptop is outside. sshd runs on router and server, and the
/// router's TCP port 8022 leads to the server's port 22. On its two links, the laptop may walk home, and more hosts stand.
#[derive(Debug)]
#[must_use = "its sshds end when it is dropped"]
pub struct WriteUp {
    pub router: Host,
    pub server: Host,
    pub laptop: Host,
    pub internet: Link,
    pub home: Link,
    pub sshds: [Daemon; 2],
}

impl WriteUp {
    pub const OUTSIDE: &str = "wan0";
    pub const INSIDE: &str = "lan0";
    pub const LAN: &str = "192.168.1.0/24";
    pub const ROUTER_OUTSIDE: &str = "20.0.0.1";
    pub const ROUTER_INSIDE: &str = "192.168.1.1";
    pub const SERVER: &str = "192.168.1.10";
    pub const LAPTOP: &str = "20.0.0.9";

    /// Everything but miniupnpd, which a scenario starts in its own way.
    ///
    /// # Errors
    /// When a part does not start.
    pub fn raise(lab: &Lab) -> Result<Self> {
        let internet = lab.link("internet")?;
        let home = lab.link("home")?;
        let router = lab
            .host("router")
            .attach(Self::OUTSIDE, &internet, &["20.0.0.1/24"])
            .attach(Self::INSIDE, &home, &["192.168.1.1/24"])
            .start()?;
        router.nat(&Nat::home(Self::OUTSIDE).forward(Protocol::Tcp, 8022, "192.168.1.10:22"))?;
        let server = lab.host("server").attach("eth0", &home, &["192.168.1.10/24"]);
        let server = server.default_route(Self::ROUTER_INSIDE).start()?;
        let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
        let sshds = [router.sshd(&Sshd::default())?, server.sshd(&Sshd::default())?];
        Ok(Self { router, server, laptop, internet, home, sshds })
    }

    /// As the write-up configures it: secure mode, and ports 60000 to 60023 for the LAN.
    pub fn miniupnpd() -> Miniupnpd {
        Miniupnpd::write_up(Self::OUTSIDE, Self::INSIDE, Self::LAN)
    }
}
