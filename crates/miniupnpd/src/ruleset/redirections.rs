//! The rules that miniupnpd has made: which ports lead where.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::{ChainName, Protocol, Ruleset};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirection {
    pub protocol: Protocol,
    pub external_port: u16,
    pub host: Ipv4Addr,
    pub internal_port: u16,
}

impl Ruleset {
    /// Those in a chain, in its order. What is no redirection of one port is left out.
    #[must_use]
    pub fn redirections(&self, chain: &ChainName) -> Vec<Redirection> {
        let rules = self.chains.get(chain).map_or(&[][..], |chain| &chain.rules);
        rules.iter().filter_map(|rule| redirection(rule)).collect()
    }
}

/// Such as `iif "wan0" @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60002`.
fn redirection(rule: &[Value]) -> Option<Redirection> {
    let matches = || rule.iter().filter_map(|statement| statement.get("match"));
    let port = matches().find(|it| it["left"]["payload"]["field"] == "dport")?;
    let protocol = matches()
        .find_map(|it| protocol(&it["right"]))
        .or_else(|| protocol(&port["left"]["payload"]["protocol"]));
    let target = rule.iter().find_map(|statement| statement.get("dnat"))?;
    Some(Redirection {
        protocol: protocol?,
        external_port: number(&port["right"])?,
        host: target["addr"].as_str()?.parse().ok()?,
        internal_port: number(&target["port"])?,
    })
}

fn number(value: &Value) -> Option<u16> {
    value.as_u64()?.try_into().ok()
}

fn protocol(value: &Value) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .find(|it| *value == it.name() || value.as_u64() == Some(it.number()))
}
