//! One router with a real miniupnpd, and a server for each protocol, which it hears by that one alone. A laptop is outside.

use std::time::Duration;

use anyhow::Result;
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, Protocol, Sshd, wait_until};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the router forwards by hand to the server that it does not hear.
pub(crate) const STATIC_PORT: u16 = 60_100;

const PCP: &str = "udp dport 5351 @th,64,8 2";
const NAT_PMP: &str = "udp dport 5351 @th,64,8 0";
const UPNP: &str = "udp dport 1900";

pub(crate) struct Network {
    pub(crate) router: Host,
    pub(crate) laptop: Host,
    pub(crate) pcp: Server,
    pub(crate) nat_pmp: Server,
    pub(crate) upnp: Server,
    /// The router is silent to whatever it asks.
    pub(crate) unheard: Server,
    _miniupnpd: Daemon,
}

pub(crate) struct Server {
    pub(crate) host: Host,
    pub(crate) address: &'static str,
    /// Of the router; leads to its ssh.
    pub(crate) ssh_port: u16,
    _sshd: Daemon,
}

impl Network {
    pub(crate) fn raise(lab: &Lab) -> Result<Self> {
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24"]);
        let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
        let table = "table inet deaf { chain input { type filter hook input priority filter; }; }\n";
        nft(&router, table)?;
        let server = |name: &str, number: u16, address: &'static str, unheard: &[&str]| -> Result<Server> {
            let host = lab.host(name).attach("eth0", &home, &[&format!("{address}/24")]);
            let host = host.default_route("192.168.1.1").start()?;
            ignore(&router, address, unheard)?;
            let _sshd = host.sshd(&Sshd::default())?;
            Ok(Server { host, address, ssh_port: 8_000 + number, _sshd })
        };
        let pcp = server("pcp", 10, "192.168.1.10", &[NAT_PMP, UPNP])?;
        let nat_pmp = server("nat-pmp", 11, "192.168.1.11", &[PCP, UPNP])?;
        let upnp = server("upnp", 12, "192.168.1.12", &[PCP, NAT_PMP])?;
        let unheard = server("unheard", 13, "192.168.1.13", &[PCP, NAT_PMP, UPNP])?;
        let nat = [&pcp, &nat_pmp, &upnp, &unheard].into_iter().fold(Nat::home("wan0"), |nat, server| {
            nat.forward(Protocol::Tcp, server.ssh_port, &format!("{}:22", server.address))
        });
        let by_hand = format!("{}:{STATIC_PORT}", unheard.address);
        router.nat(&nat.forward(Protocol::Udp, STATIC_PORT, &by_hand))?;
        let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
        let _miniupnpd = router.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?;
        Ok(Self { router, laptop, pcp, nat_pmp, upnp, unheard, _miniupnpd })
    }

    pub(crate) fn wait_for_empty_table(&self) -> Result<()> {
        wait_until("an empty lease table", PATIENCE, || Ok(self.router.leases()?.is_empty().then_some(())))
    }
}

impl Server {
    /// As on a network where no session has been before.
    pub(crate) fn forget_gateways(&self) -> Result<()> {
        self.host.command("rm").args(["-rf", "/home/alice/.cache/moshpunch"]).run(PATIENCE).map(drop)
    }
}

fn ignore(router: &Host, address: &str, questions: &[&str]) -> Result<()> {
    let rule = |question| format!("add rule inet deaf input ip saddr {address} {question} drop\n");
    nft(router, &questions.iter().map(rule).collect::<String>())
}

fn nft(router: &Host, rules: &str) -> Result<()> {
    router.command("nft").args(["-f", "-"]).input(rules).run(PATIENCE).map(drop)
}
