//! The rules that miniupnpd has made: which ports lead where.

use std::net::SocketAddrV4;
use std::num::NonZeroU16;

use serde_json::Value;

use super::matching::PROTOCOL_BITS;
use super::{ChainName, Ruleset};
use crate::mapping::{External, Transport};

impl Ruleset {
    /// Those in a chain, in its order. What is no redirection of one port is left out.
    #[must_use]
    pub fn redirections(&self, chain: &ChainName) -> Vec<(External, SocketAddrV4)> {
        let rules = self.chains.get(chain).map_or(&[][..], |chain| &chain.rules);
        rules.iter().filter_map(|rule| redirection(rule)).collect()
    }
}

/// Such as `iif "wan0" @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60002`.
fn redirection(rule: &[Value]) -> Option<(External, SocketAddrV4)> {
    let matches = || rule.iter().filter_map(|statement| statement.get("match"));
    let port = matches().find(|it| it["left"]["payload"]["field"] == "dport")?;
    let transport = matches()
        .find(|it| is_protocol(&it["left"]))
        .and_then(|it| transport(&it["right"]))
        .or_else(|| transport(&port["left"]["payload"]["protocol"]));
    let target = rule.iter().find_map(|statement| statement.get("dnat"))?;
    let external = External { transport: transport?, port: number(&port["right"])? };
    let internal = SocketAddrV4::new(target["addr"].as_str()?.parse().ok()?, number(&target["port"])?.get());
    Some((external, internal))
}

fn is_protocol(left: &Value) -> bool {
    let payload = &left["payload"];
    let is_raw = payload["base"] == "nh"
        && (&payload["offset"], &payload["len"]) == (&PROTOCOL_BITS.0.into(), &PROTOCOL_BITS.1.into());
    left["meta"]["key"] == "l4proto" || payload["field"] == "protocol" || is_raw
}

fn number(value: &Value) -> Option<NonZeroU16> {
    NonZeroU16::new(value.as_u64()?.try_into().ok()?)
}

fn transport(value: &Value) -> Option<Transport> {
    Transport::ALL.into_iter().find(|it| *value == it.name() || value.as_u64() == Some(it.number()))
}
