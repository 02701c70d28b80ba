//! Whether a rule's condition fits a packet.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::{ChainName, Packet, Ruleset};
use crate::rule::Network;

/// Of the byte offset 9 in the IPv4 header, which is the protocol; so miniupnpd writes it.
pub(super) const PROTOCOL_BITS: (u64, u64) = (72, 8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    No,
    Perhaps,
}

impl Fit {
    fn of(certain: bool) -> Self {
        if certain { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Perhaps,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

/// What a packet has where a rule looks.
enum Field<'a> {
    /// Any of these means the same.
    Words(Vec<&'a str>, Option<u64>),
    Number(u64),
    Address(Network),
    /// One of the bits that are set.
    Bits(&'a str),
    /// The packet has no such part: a rule that looks there does not fit, whatever it compares.
    Absent,
    Unknown,
}

impl Ruleset {
    pub(super) fn fits(&self, condition: &Value, packet: &Packet<'_>, chain: &ChainName) -> Fit {
        let found = match field(&condition["left"], packet) {
            Field::Absent => return Fit::No,
            // Compared whole, it has more bits than a packet to come tells.
            Field::Bits(_) if condition["op"] != "in" => return Fit::Perhaps,
            Field::Unknown => return Fit::Perhaps,
            known => self.equals(&known, &condition["right"], chain),
        };
        match condition["op"].as_str() {
            Some("==" | "in") => found,
            Some("!=") => found.not(),
            _ => Fit::Perhaps,
        }
    }

    /// Whether the key of a verdict map has that value.
    pub(super) fn key_fits(&self, key: &Value, value: &Value, packet: &Packet<'_>, chain: &ChainName) -> Fit {
        match field(key, packet) {
            Field::Absent => Fit::No,
            Field::Unknown | Field::Bits(_) => Fit::Perhaps,
            known => self.equals(&known, value, chain),
        }
    }

    fn equals(&self, field: &Field<'_>, right: &Value, chain: &ChainName) -> Fit {
        let any = |values: &[Value]| {
            values.iter().map(|value| self.equals(field, value, chain)).fold(Fit::No, Fit::or)
        };
        match right {
            Value::Array(values) => any(values),
            Value::String(name) if name.starts_with('@') => match self.set(&name[1..], chain) {
                Some(values) => any(values),
                None => Fit::Perhaps,
            },
            Value::Object(object) => {
                if let Some(values) = object.get("set").and_then(Value::as_array) {
                    any(values)
                } else if let Some(element) = object.get("elem") {
                    self.equals(field, &element["val"], chain)
                } else if let Some(range) = object.get("range").and_then(Value::as_array) {
                    in_range(field, range)
                } else if let Some(prefix) = object.get("prefix") {
                    in_prefix(field, prefix)
                } else {
                    Fit::Perhaps
                }
            }
            scalar => is(field, scalar),
        }
    }

    fn set(&self, name: &str, chain: &ChainName) -> Option<&Vec<Value>> {
        self.sets.get(&(chain.family.clone(), chain.table.clone(), name.to_owned()))
    }
}

fn field<'a>(left: &Value, packet: &Packet<'a>) -> Field<'a> {
    let word = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    if let Some(meta) = left.get("meta") {
        return meta_field(&word(&meta["key"]), packet);
    }
    if let Some(tracked) = left.get("ct") {
        return match word(&tracked["key"]).as_str() {
            "state" => Field::Words(vec!["new"], None),
            "status" if packet.translated => Field::Bits("dnat"),
            "status" => Field::Bits("none"),
            _ => Field::Unknown,
        };
    }
    match left.get("payload") {
        Some(payload) if payload.get("base").is_some() => raw_field(payload, packet),
        Some(payload) => payload_field(&word(&payload["protocol"]), &word(&payload["field"]), packet),
        None => Field::Unknown,
    }
}

fn protocol_field<'a>(packet: &Packet<'a>) -> Field<'a> {
    Field::Words(vec![packet.protocol.name()], Some(packet.protocol.number()))
}

fn meta_field<'a>(key: &str, packet: &Packet<'a>) -> Field<'a> {
    match key {
        "iif" | "iifname" => Field::Words(vec![packet.comes_in], None),
        "oif" | "oifname" => packet.goes_out.map_or(Field::Unknown, |name| Field::Words(vec![name], None)),
        "l4proto" => protocol_field(packet),
        "nfproto" => Field::Words(vec!["ipv4"], None),
        "protocol" => Field::Words(vec!["ip"], None),
        _ => Field::Unknown,
    }
}

fn payload_field<'a>(protocol: &str, name: &str, packet: &Packet<'a>) -> Field<'a> {
    match (protocol, name) {
        ("ip", "saddr") => Field::Address(packet.source),
        ("ip", "daddr") => Field::Address(packet.destination),
        ("ip", "protocol") => protocol_field(packet),
        ("th", "dport") => Field::Number(packet.port.into()),
        ("tcp" | "udp", "dport") if protocol == packet.protocol.name() => Field::Number(packet.port.into()),
        ("tcp" | "udp", _) if protocol != packet.protocol.name() => Field::Absent,
        ("ip6" | "icmp" | "icmpv6" | "sctp" | "dccp" | "esp" | "ah" | "arp", _) => Field::Absent,
        _ => Field::Unknown,
    }
}

fn raw_field<'a>(payload: &Value, packet: &Packet<'a>) -> Field<'a> {
    let bits = (payload["offset"].as_u64(), payload["len"].as_u64());
    match payload["base"] == "nh" && bits == (Some(PROTOCOL_BITS.0), Some(PROTOCOL_BITS.1)) {
        true => protocol_field(packet),
        false => Field::Unknown,
    }
}

fn is(field: &Field<'_>, value: &Value) -> Fit {
    match field {
        Field::Words(words, number) => match value.as_str() {
            Some(pattern) => Fit::of(words.iter().any(|word| word_fits(word, pattern))),
            None => number.map_or(Fit::Perhaps, |number| Fit::of(value.as_u64() == Some(number))),
        },
        // A name, such as `ssh`: nft writes them only if it is asked to.
        Field::Number(number) => value.as_u64().map_or(Fit::Perhaps, |value| Fit::of(value == *number)),
        Field::Address(network) => {
            address(value).map_or(Fit::Perhaps, |it| within(network, &Network::host(it)))
        }
        // Other bits may be set as well.
        Field::Bits(bit) => match value.as_str() {
            Some("dnat") => Fit::of(*bit == "dnat"),
            _ => Fit::Perhaps,
        },
        Field::Absent => Fit::No,
        Field::Unknown => Fit::Perhaps,
    }
}

/// Interface names may end in a star.
fn word_fits(word: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(word == pattern, |start| word.starts_with(start))
}

fn address(value: &Value) -> Option<Ipv4Addr> {
    value.as_str()?.parse().ok()
}

fn within(network: &Network, other: &Network) -> Fit {
    match (other.covers(network), other.overlaps(network)) {
        (true, _) => Fit::Yes,
        (false, true) => Fit::Perhaps,
        (false, false) => Fit::No,
    }
}

fn in_prefix(field: &Field<'_>, prefix: &Value) -> Fit {
    let length = prefix["len"].as_u64().and_then(|length| u8::try_from(length).ok());
    match (field, address(&prefix["addr"]), length) {
        (Field::Address(network), Some(address), Some(length)) => {
            within(network, &Network::of(address, length))
        }
        _ => Fit::Perhaps,
    }
}

fn in_range(field: &Field<'_>, range: &[Value]) -> Fit {
    let [first, last] = range else { return Fit::Perhaps };
    match field {
        Field::Number(number) => match (first.as_u64(), last.as_u64()) {
            (Some(first), Some(last)) => Fit::of((first..=last).contains(number)),
            _ => Fit::Perhaps,
        },
        Field::Address(network) => match (address(first), address(last)) {
            (Some(first), Some(last)) => {
                let (lowest, highest) =
                    (network.address.to_bits() & network.mask, network.address.to_bits() | !network.mask);
                let inside = |bits: u32| (first.to_bits()..=last.to_bits()).contains(&bits);
                match (inside(lowest), inside(highest)) {
                    (true, true) => Fit::Yes,
                    (false, false) if lowest > last.to_bits() || highest < first.to_bits() => Fit::No,
                    _ => Fit::Perhaps,
                }
            }
            _ => Fit::Perhaps,
        },
        Field::Words(..) | Field::Bits(_) | Field::Absent | Field::Unknown => Fit::Perhaps,
    }
}
