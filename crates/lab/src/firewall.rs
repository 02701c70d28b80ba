//! A router's firewall, as a test reads it and as an administrator may treat it.

use anyhow::Result;

use crate::configure::{nft, nft_list};
use crate::host::Host;
use crate::nat::Protocol;
use crate::nat_rules::{TABLE, UPNP_FORWARD, UPNP_POSTROUTING, UPNP_PREROUTING};

/// Which UDP a firewall drops, but for what stays on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// What the host gets and what it sends; who sends it there is told so.
    BothWays,
    /// What the host gets, and what it would pass on.
    Incoming,
}

impl Host {
    /// # Errors
    /// When the host has ended.
    pub fn block_udp(&self, blocked: Blocked) -> Result<()> {
        let chains: String = blocked.hooks().iter().map(|hook| chain(hook)).collect();
        self.inside(|| nft(&format!("table inet {WALL} {{ {chains} }}\n")))
    }

    /// # Errors
    /// When it is not [blocked](Self::block_udp).
    pub fn let_udp_through(&self) -> Result<()> {
        self.inside(|| nft(&format!("delete table inet {WALL}\n")))
    }

    /// All rules of this host, as `nft list ruleset` shows them.
    ///
    /// # Errors
    /// When the host has ended.
    pub fn nft_ruleset(&self) -> Result<String> {
        self.inside(|| nft_list(&["ruleset"]))
    }

    /// Whether a rule of miniupnpd leads that port of the router inside, whatever its lease file says.
    ///
    /// # Errors
    /// When this host has no [`Nat`](crate::Nat).
    pub fn has_upnp_rule(&self, protocol: Protocol, outside_port: u16) -> Result<bool> {
        let chain = self.inside(|| nft_list(&["chain", "inet", TABLE, UPNP_PREROUTING]))?;
        Ok(chain.lines().any(|rule| leads_inside(rule, protocol, outside_port)))
    }

    /// Removes miniupnpd's rules behind its back, as a reload of the firewall does.
    ///
    /// # Errors
    /// When this host has no [`Nat`](crate::Nat).
    pub fn flush_upnp_rules(&self) -> Result<()> {
        let chains = [UPNP_FORWARD, UPNP_PREROUTING, UPNP_POSTROUTING];
        let batch: String =
            chains.iter().map(|chain| format!("flush chain inet {TABLE} {chain}\n")).collect();
        self.inside(|| nft(&batch))
    }
}

const WALL: &str = "wall";

impl Blocked {
    fn hooks(self) -> &'static [&'static str] {
        match self {
            Self::BothWays => &["input", "output"],
            Self::Incoming => &["prerouting"],
        }
    }
}

fn chain(hook: &str) -> String {
    let interface = if hook == "output" { "oifname" } else { "iifname" };
    let rule = format!("meta l4proto udp {interface} != \"lo\" drop;");
    format!("chain {hook} {{ type filter hook {hook} priority -10; {rule} }};")
}

/// Of a rule such as `iif "wan0" @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60002`. The protocol stands
/// there as miniupnpd matches it: as the number in the IPv4 header's tenth byte.
fn leads_inside(rule: &str, protocol: Protocol, outside_port: u16) -> bool {
    let number = match protocol {
        Protocol::Tcp => "0x6",
        Protocol::Udp => "0x11",
    };
    rule.contains(&format!(" @nh,72,8 {number} th dport {outside_port} ")) && rule.contains(" dnat ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "\t\tiif \"wan0\" @nh,72,8 0x11 th dport 6000 dnat ip to 192.168.1.10:60002";

    #[test]
    fn a_rule_is_known_by_protocol_and_port() {
        assert!(leads_inside(RULE, Protocol::Udp, 6000));
        assert!(!leads_inside(RULE, Protocol::Tcp, 6000));
        assert!(!leads_inside(RULE, Protocol::Udp, 600));
        assert!(!leads_inside(RULE, Protocol::Udp, 60002));
    }
}
