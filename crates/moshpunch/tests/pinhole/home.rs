//! A home with IPv6: what comes from outside unasked is dropped, but for miniupnpd's pinholes.

use std::net::{SocketAddrV6, UdpSocket};

use anyhow::{Context as _, Result};
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, UdpPeer, wait_until};
use net::interfaces::Attachment;
use portmap::control_port::{ANNOUNCEMENT_PORT, SERVER_PORT};
use portmap::mapper::Protocol;

use crate::LIMIT;

pub(crate) const SERVER: &str = "2a00:7::10";
pub(crate) const PORT: u16 = 60001;

/// PCP's second version, an answer to ANNOUNCE, success; the clock stands at one second.
const ANNOUNCEMENT: [u8; 24] = [2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Hosts have a global and a unique local address each, and know the router by its link-local one, as router
/// advertisements have it.
pub(crate) struct Home {
    pub(crate) router: Host,
    pub(crate) server: Host,
    outside: Host,
    /// What the pinholes are for.
    service: UdpPeer,
}

impl Home {
    pub(crate) fn raise(lab: &Lab) -> Result<Self> {
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24", "2a00:1::1/64"]);
        let inside = ["192.168.1.1/24", "fd07::1/64", "2a00:7::1/64"];
        let router = router.attach("lan0", &home, &inside).start()?;
        router.nat(&Nat::home("wan0").rejects())?;
        let server = lab.host("server").attach("eth0", &home, &["2a00:7::10/64", "fd07::10/64"]).start()?;
        let gateway = link_local_address(&router, "lan0")?;
        let route = ["-6", "route", "add", "default", "via", &gateway, "dev", "eth0"];
        server.command("ip").args(route).run(LIMIT)?;
        let outside = lab.host("outside").attach("eth0", &internet, &["2a00:1::9/64"]);
        let outside = outside.route("2a00:7::/64", "2a00:1::1").start()?;
        let service = server.udp(&format!("[{SERVER}]:{PORT}"))?;
        Ok(Self { router, server, outside, service })
    }

    /// One that speaks `protocol` and no other, and grants any lease. With the `http_port` 0 it listens on another one
    /// at each start.
    pub(crate) fn miniupnpd(&self, protocol: Protocol, http_port: u16) -> Result<Daemon> {
        let upnp = protocol == Protocol::Upnp;
        let lifetimes = (1, 86_400);
        let miniupnpd = Miniupnpd { upnp, nat_pmp_and_pcp: !upnp, http_port, lifetimes, ..defaults() };
        let daemon = self.router.miniupnpd(&miniupnpd)?;
        if !upnp {
            // It says so before the IPv6 socket is there, which is its second.
            wait_until("miniupnpd to listen for PCP in IPv6", LIMIT, || {
                let ports = self.router.udp_ports()?;
                Ok((ports.iter().filter(|port| **port == SERVER_PORT).count() == 2).then_some(()))
            })?;
        }
        Ok(daemon)
    }

    /// Whether a datagram from outside, of a flow that was not seen before, reaches the server.
    pub(crate) fn is_reachable(&self) -> Result<bool> {
        self.outside.udp("[::]:0")?.reaches(&self.service, (SERVER, PORT), LIMIT)
    }

    /// As RFC 6887 §14.1.3 wants it: by the server's own address on the link, to all nodes there.
    pub(crate) fn announce_start(&self) -> Result<()> {
        self.router.inside(|| {
            let interface = Attachment::read()?.interface_of("fd07::1".parse()?, None).context("no lan0")?;
            let all_nodes = SocketAddrV6::new("ff02::1".parse()?, ANNOUNCEMENT_PORT, 0, interface);
            UdpSocket::bind("[::]:0")?.send_to(&ANNOUNCEMENT, all_nodes)?;
            Ok(())
        })
    }

    pub(crate) fn pinholes(&self) -> Result<usize> {
        let port = format!(" dport {PORT} ");
        Ok(self.router.nft_ruleset()?.lines().filter(|rule| rule.contains(&port)).count())
    }
}

fn defaults() -> Miniupnpd {
    Miniupnpd::new("wan0", "lan0")
}

fn link_local_address(host: &Host, interface: &str) -> Result<String> {
    let show = ["-6", "-oneline", "address", "show", "dev", interface, "scope", "link"];
    let output = host.command("ip").args(show).run(LIMIT)?.stdout;
    let network = output.split_whitespace().skip_while(|word| *word != "inet6").nth(1);
    let address = network.and_then(|network| network.split('/').next()).context(output.clone())?;
    Ok(address.to_owned())
}
