//! Network address translation as data.
//!
//! The words are those of RFC 4787: *mapping* says when a host behind the NAT keeps its outside port, *filtering*
//! says who may send to that port.

use std::net::SocketAddrV4;
use std::time::Duration;

/// On what, beside the inner address and port, the outside port depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

/// Who may send to an outside port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtering {
    /// Everybody.
    EndpointIndependent,
    /// Every port of an address that was sent to.
    AddressDependent,
    /// Only an address and port that was sent to.
    AddressAndPortDependent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A port of the router that always leads to a host inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    pub protocol: Protocol,
    pub outside_port: u16,
    pub to: SocketAddrV4,
}

/// The NAT of a router, for IPv4. IPv6 is forwarded untranslated, from outside only what was asked for.
///
/// Mapping and filtering are those of UDP. TCP goes out by way of the router's address and comes in by way of
/// forwards alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a NAT does nothing until a router applies it"]
pub struct Nat {
    /// The interface of the router that is outside.
    pub outside: String,
    pub mapping: Mapping,
    pub filtering: Filtering,
    /// How long a UDP mapping lives without a packet.
    pub udp_timeout: Duration,
    pub forwards: Vec<Forward>,
    /// Whether the forwards serve hosts inside, too, at any of the router's addresses.
    pub hairpin: bool,
    /// Whether who sends what is not let in is told so, as most firewalls do not.
    pub rejects: bool,
}

impl Nat {
    /// As home routers run it on Linux.
    pub fn home(outside: &str) -> Self {
        Self {
            outside: outside.to_owned(),
            mapping: Mapping::EndpointIndependent,
            filtering: Filtering::AddressAndPortDependent,
            udp_timeout: Duration::from_secs(120),
            forwards: Vec::new(),
            hairpin: false,
            rejects: false,
        }
    }

    /// A new outside port for every peer; nothing but relaying gets two such NATs together.
    pub fn symmetric(outside: &str) -> Self {
        Self::home(outside).mapping(Mapping::AddressAndPortDependent)
    }

    pub fn mapping(self, mapping: Mapping) -> Self {
        Self { mapping, ..self }
    }

    pub fn filtering(self, filtering: Filtering) -> Self {
        Self { filtering, ..self }
    }

    pub fn udp_timeout(self, udp_timeout: Duration) -> Self {
        Self { udp_timeout, ..self }
    }

    pub fn hairpin(self) -> Self {
        Self { hairpin: true, ..self }
    }

    pub fn rejects(self) -> Self {
        Self { rejects: true, ..self }
    }

    /// # Panics
    /// When `to` is not an IPv4 address with a port.
    pub fn forward(mut self, protocol: Protocol, outside_port: u16, to: &str) -> Self {
        let to = to.parse().expect("the target of a forward is an IPv4 address with a port");
        self.forwards.push(Forward { protocol, outside_port, to });
        self
    }

    /// The kernel's settings that go with the rules.
    pub(crate) fn sysctls(&self) -> Vec<(&'static str, String)> {
        let timeout = self.udp_timeout.as_secs().to_string();
        vec![
            ("net.ipv4.ip_forward", "1".to_owned()),
            ("net.ipv6.conf.all.forwarding", "1".to_owned()),
            ("net.netfilter.nf_conntrack_udp_timeout", timeout.clone()),
            ("net.netfilter.nf_conntrack_udp_timeout_stream", timeout),
        ]
    }
}
