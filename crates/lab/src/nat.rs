//! Network address translation as data, and the nftables rules that it stands for.
//!
//! The words are those of RFC 4787: *mapping* says when a host behind the NAT keeps its outside port, *filtering*
//! says who may send to that port.
//!
//! Linux's own NAT is the cell endpoint-independent mapping × address-and-port-dependent filtering: masquerading
//! keeps the inner port as long as nobody outside is spoken to from the same port of two inner hosts. The other
//! cells are made from it by remembering, for each packet that went out, which outside port stands for which inner
//! one (`mappings`) and whom it went to (`contacts`).

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// The table and the chains for miniupnpd's own rules, which it finds by name.
pub(crate) const TABLE: &str = "lab";
pub(crate) const UPNP_FORWARD: &str = "upnp_forward";
pub(crate) const UPNP_PREROUTING: &str = "upnp_prerouting";
pub(crate) const UPNP_POSTROUTING: &str = "upnp_postrouting";

/// Marks packets that the filtering let in, for the forward chain.
const ADMITTED: u32 = 0x6d70;

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

    /// # Panics
    /// When `to` is not an IPv4 address with a port.
    pub fn forward(mut self, protocol: Protocol, outside_port: u16, to: &str) -> Self {
        let to = to.parse().expect("the target of a forward is an IPv4 address with a port");
        self.forwards.push(Forward { protocol, outside_port, to });
        self
    }

    /// The rules, for a router whose outside interface has `outside_address`. Loading them replaces all earlier
    /// ones, miniupnpd's included, as a firewall's reload does.
    pub fn rules(&self, outside_address: Ipv4Addr) -> String {
        let parts = [
            format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n"),
            self.memory(),
            self.forward_chain(),
            self.prerouting_chain(),
            self.postrouting_chain(outside_address),
            self.remembering_chain(),
            format!("\tchain {UPNP_FORWARD} {{ }}\n\tchain {UPNP_PREROUTING} {{ }}\n"),
            format!("\tchain {UPNP_POSTROUTING} {{ }}\n}}\n"),
        ];
        parts.concat()
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

    fn memory(&self) -> String {
        let Some(peer) = self.remembered_peer() else { return String::new() };
        let life = format!("flags dynamic,timeout; timeout {}s; size 65535;", self.udp_timeout.as_secs());
        format!(
            "\tmap mappings {{ type inet_service : ipv4_addr . inet_service; {life} }}\n\
             \tset contacts {{ type inet_service{}; {life} }}\n",
            peer.kind
        )
    }

    fn forward_chain(&self) -> String {
        let mut chain = format!(
            "\tchain forward {{\n\
             \t\ttype filter hook forward priority filter; policy drop;\n\
             \t\tct state established,related accept\n\
             \t\tiifname != \"{}\" accept\n\
             \t\tmeta mark {ADMITTED:#x} accept\n",
            self.outside
        );
        for Forward { protocol, to, .. } in &self.forwards {
            writeln!(chain, "\t\tip daddr {} {protocol} dport {} accept", to.ip(), to.port())
                .expect("a String takes every write");
        }
        chain + &format!("\t\tjump {UPNP_FORWARD}\n\t}}\n")
    }

    fn prerouting_chain(&self) -> String {
        let outside = &self.outside;
        let mut chain = "\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat;\n".to_owned();
        for Forward { protocol, outside_port, to } in &self.forwards {
            writeln!(chain, "\t\tiifname \"{outside}\" {protocol} dport {outside_port} dnat ip to {to}")
                .expect("a String takes every write");
        }
        chain += &format!("\t\tjump {UPNP_PREROUTING}\n");
        if let Some(peer) = self.remembered_peer() {
            chain += &format!(
                "\t\tiifname \"{outside}\" meta nfproto ipv4 udp dport{} @contacts \
                 meta mark set {ADMITTED:#x} dnat ip to udp dport map @mappings\n",
                peer.of_incoming
            );
        }
        chain + "\t}\n"
    }

    fn postrouting_chain(&self, outside_address: Ipv4Addr) -> String {
        let outgoing = format!("\t\toifname \"{}\" meta nfproto ipv4", self.outside);
        let translation = match self.mapping {
            Mapping::EndpointIndependent => format!("{outgoing} masquerade\n"),
            Mapping::AddressDependent => format!(
                "{outgoing} meta l4proto udp snat ip to {outside_address} : \
                 jhash ip saddr . udp sport . ip daddr mod 16384 offset 32768\n{outgoing} masquerade\n"
            ),
            Mapping::AddressAndPortDependent => format!("{outgoing} masquerade fully-random\n"),
        };
        format!(
            "\tchain postrouting {{\n\t\ttype nat hook postrouting priority srcnat;\n\
             \t\tjump {UPNP_POSTROUTING}\n{translation}\t}}\n"
        )
    }

    /// Sees packets after their translation, the first of a flow and all that follow.
    fn remembering_chain(&self) -> String {
        let Some(peer) = self.remembered_peer() else { return String::new() };
        let outgoing = format!("\t\toifname \"{}\" meta nfproto ipv4 meta l4proto udp", self.outside);
        format!(
            "\tchain remember {{\n\t\ttype filter hook postrouting priority srcnat + 10;\n\
             {outgoing} ct direction original update @mappings {{ udp sport : ct original ip saddr . ct original proto-src }}\n\
             {outgoing} ct direction reply update @mappings {{ udp sport : ct reply ip saddr . ct reply proto-src }}\n\
             {outgoing} update @contacts {{ udp sport{} }}\n\t}}\n",
            peer.of_outgoing
        )
    }

    /// What is remembered of a peer; `None` where the kernel's own connection tracking does it all.
    fn remembered_peer(&self) -> Option<RememberedPeer> {
        match self.filtering {
            Filtering::EndpointIndependent => {
                Some(RememberedPeer { kind: "", of_incoming: "", of_outgoing: "" })
            }
            Filtering::AddressDependent => Some(RememberedPeer {
                kind: " . ipv4_addr",
                of_incoming: " . ip saddr",
                of_outgoing: " . ip daddr",
            }),
            Filtering::AddressAndPortDependent => None,
        }
    }
}

/// How nftables writes the part of a contact that follows the outside port.
struct RememberedPeer {
    kind: &'static str,
    of_incoming: &'static str,
    of_outgoing: &'static str,
}
