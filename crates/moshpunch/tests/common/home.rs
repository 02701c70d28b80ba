//! The write-up's network with a router that can be restarted, and a client that nobody has seen before.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, Lab, Lease, Miniupnpd, Signal, Terminal, WriteUp, wait_until};
use portmap::mapper::Protocol;

use super::{AT_ONCE, PATIENCE, computes_within, leave, mosh_to_server, raise, wait_for_empty_table};

pub(crate) const LEASE_FILE: &str = "/var/lib/miniupnpd/upnp.leases";
const KEEPER_LOG: &str = "/tmp/keeper.log";

pub(crate) struct Home {
    pub(crate) network: WriteUp,
    pub(crate) terminal: Terminal,
    configuration: Miniupnpd,
    miniupnpd: Option<Daemon>,
    /// How often the laptop has changed its address.
    roamed: u8,
}

impl Home {
    /// Opens a session through a router that speaks one protocol, or all.
    pub(crate) fn open(lab: &Lab, only: Option<Protocol>) -> Result<Self> {
        let network = raise(lab)?;
        close(&network.router)?;
        if let Some(protocol) = only {
            hear_only(&network.router, WriteUp::SERVER, protocol)?;
        }
        let upnp = only.is_none_or(|protocol| protocol == Protocol::Upnp);
        let nat_pmp_and_pcp = only != Some(Protocol::Upnp);
        let configuration = Miniupnpd {
            upnp,
            nat_pmp_and_pcp,
            http_port: 5000,
            ..Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE)
        };
        let miniupnpd = Some(network.router.miniupnpd(&configuration)?);
        let terminal = mosh_to_server(&network.laptop, &format!("moshpunch server --log {KEEPER_LOG}"))?;
        Ok(Self { network, terminal, configuration, miniupnpd, roamed: 0 })
    }

    /// The only entry of the router's table, whose rule leads inside.
    pub(crate) fn lease(&self) -> Result<Lease> {
        let mut leases = self.network.router.leases()?;
        ensure!(leases.len() == 1, "one lease expected: {leases:?}");
        let lease = leases.remove(0);
        ensure!(
            self.network.router.has_upnp_rule(lease.protocol, lease.external_port)?,
            "no rule: {lease:?}"
        );
        Ok(lease)
    }

    /// Shows that the session can be reached from outside, by a client that the router holds no connection of: the
    /// laptop has another address now.
    pub(crate) fn reach_anew(&mut self, within: Duration) -> Result<()> {
        self.roamed += 1;
        let address = format!("20.0.0.{}/24", 100 + self.roamed);
        self.network.laptop.readdress("eth0", &[&address], &[])?;
        let reached = computes_within(&mut self.terminal, 4000 + u32::from(self.roamed), within);
        reached.with_context(|| format!("the keeper's log:\n{}", self.keeper_log()))
    }

    /// As when the router loses its power and boots: with every rule gone, and UPnP on another port.
    pub(crate) fn restart_router(&mut self, lease_file: LeaseFile) -> Result<()> {
        self.stop_router(lease_file)?;
        self.start_router()
    }

    pub(crate) fn stop_router(&mut self, lease_file: LeaseFile) -> Result<()> {
        let miniupnpd = self.miniupnpd.take().context("the router runs")?;
        miniupnpd.signal(Signal::KILL)?;
        miniupnpd.wait_exit(PATIENCE)?;
        let router = &self.network.router;
        if lease_file == LeaseFile::Lost {
            router.command("rm").arg(LEASE_FILE).run(PATIENCE)?;
        }
        router.flush_upnp_rules()
    }

    pub(crate) fn start_router(&mut self) -> Result<()> {
        self.configuration.http_port += 1;
        self.miniupnpd = Some(self.network.router.miniupnpd(&self.configuration)?);
        Ok(())
    }

    pub(crate) fn signal_router(&self, signal: Signal) -> Result<()> {
        self.miniupnpd.as_ref().context("the router runs")?.signal(signal)
    }

    pub(crate) fn wait_for_keeper(&self, text: &str, within: Duration) -> Result<()> {
        let logged = || Ok(self.keeper_log().contains(text).then_some(()));
        let waited = wait_until(&format!("{text:?} in the keeper's log"), within, logged);
        waited.with_context(|| self.keeper_log())
    }

    /// Ends the session, which takes its mapping away.
    pub(crate) fn leave(self) -> Result<()> {
        let log = self.keeper_log();
        leave(self.terminal)?;
        wait_for_empty_table(&self.network.router, AT_ONCE)
            .with_context(|| format!("the keeper's log:\n{log}"))
    }

    fn keeper_log(&self) -> String {
        self.network.server.read_file(KEEPER_LOG).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseFile {
    Kept,
    Lost,
}

/// As home routers are: deaf to what comes from outside and is not forwarded, so that no connection is remembered of a
/// client that came while the mapping was missing.
pub(crate) fn close(router: &Host) -> Result<()> {
    let chain = "type filter hook input priority filter; iifname wan0 meta l4proto udp drop;";
    nft(router, &format!("table inet closed {{ chain input {{ {chain} }}; }}\n"))
}

/// Makes the router, once closed, ignore what a host asks it by every other protocol.
pub(crate) fn hear_only(router: &Host, host: &str, protocol: Protocol) -> Result<()> {
    let others = Protocol::ALL.into_iter().filter(|&other| other != protocol);
    let ignore = |other| format!("add rule inet closed input ip saddr {host} {} drop\n", questions(other));
    nft(router, &others.map(ignore).collect::<String>())
}

/// PCP and NAT-PMP share a port; their packets begin with the version.
fn questions(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Pcp => "udp dport 5351 @th,64,8 2",
        Protocol::NatPmp => "udp dport 5351 @th,64,8 0",
        Protocol::Upnp => "udp dport 1900",
    }
}

pub(crate) fn nft(host: &Host, rules: &str) -> Result<()> {
    host.command("nft").args(["-f", "-"]).input(rules).run(PATIENCE).map(drop)
}

/// Which protocol made an entry, as miniupnpd describes it.
pub(crate) fn protocol_of(lease: &Lease) -> Option<Protocol> {
    match lease.description.split(' ').next()? {
        "PCP" => Some(Protocol::Pcp),
        "NAT-PMP" => Some(Protocol::NatPmp),
        "moshpunch" => Some(Protocol::Upnp),
        _ => None,
    }
}
