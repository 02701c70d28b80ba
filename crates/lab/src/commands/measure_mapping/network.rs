//! One router with a real miniupnpd, and a server for each protocol, which it hears by that one alone.

use std::time::Duration;

use anyhow::Result;
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

const PCP: &str = "udp dport 5351 @th,64,8 2";
const NAT_PMP: &str = "udp dport 5351 @th,64,8 0";
const UPNP: &str = "udp dport 1900";

pub(super) struct Network {
    pub(super) router: Host,
    pub(super) pcp: Server,
    pub(super) nat_pmp: Server,
    pub(super) upnp: Server,
    /// The router is silent to whatever it asks.
    pub(super) unheard: Server,
    _miniupnpd: Daemon,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) host: Host,
    pub(super) address: &'static str,
}

impl Network {
    pub(super) fn raise(lab: &Lab) -> Result<Self> {
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24"]);
        let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
        router.nat(&Nat::home("wan0"))?;
        let server = |name: &str, address: &'static str, unheard: &[&str]| -> Result<Server> {
            let host = lab.host(name).attach("eth0", &home, &[&format!("{address}/24")]);
            ignore(&router, address, unheard)?;
            Ok(Server { host: host.default_route("192.168.1.1").start()?, address })
        };
        let chain = "table inet deaf { chain input { type filter hook input priority filter; }; }\n";
        nft(&router, chain)?;
        Ok(Self {
            pcp: server("pcp", "192.168.1.10", &[NAT_PMP, UPNP])?,
            nat_pmp: server("nat-pmp", "192.168.1.11", &[PCP, UPNP])?,
            upnp: server("upnp", "192.168.1.12", &[PCP, NAT_PMP])?,
            unheard: server("unheard", "192.168.1.13", &[PCP, NAT_PMP, UPNP])?,
            _miniupnpd: router.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?,
            router,
        })
    }

    pub(super) fn wait_for_empty_table(&self) -> Result<()> {
        wait_until("an empty lease table", PATIENCE, || Ok(self.router.leases()?.is_empty().then_some(())))
    }
}

fn ignore(router: &Host, address: &str, questions: &[&str]) -> Result<()> {
    let rule = |question| format!("add rule inet deaf input ip saddr {address} {question} drop\n");
    nft(router, &questions.iter().map(rule).collect::<String>())
}

fn nft(router: &Host, rules: &str) -> Result<()> {
    router.command("nft").args(["-f", "-"]).input(rules).run(PATIENCE).map(drop)
}
