//! Rules by which hosts inside reach a mapped port at the router's outside address.
//!
//! miniupnpd's own rules match what comes in from outside, nothing else (miniupnp#257: not UPnP's business). These
//! translate what comes from elsewhere: to the server, as if it had come from outside, and from the router's own address
//! on the server's link, so that the answer comes back by way of the router. They are in a table of their own, replaced
//! whole in one transaction, and established connections keep their translation meanwhile.
//!
//! A client may be quicker than the rules: mosh sends as soon as it knows the port. The kernel would remember such a flow
//! as one to the router itself, for as long as the client goes on trying, and never ask the new rules about it. So what
//! goes from inside to a port of mosh that is not mapped is not tracked.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::mapping::{Mappings, Transport};

/// The family and the name.
pub const TABLE: &str = "inet moshpunch_guard";

/// Where a client sends within milliseconds of the mapping: mosh(1), the default of `-p`. Other services of the router
/// keep their tracking.
const PORTS_OF_MOSH: &str = "60000-61000";

/// Removes the table, should it be there.
pub const REMOVAL: &str = "table inet moshpunch_guard\ndelete table inet moshpunch_guard\n";

/// What `nft -f -` takes. The interface's name must be one of [`Watched`](crate::configuration::Watched), which are checked.
#[must_use]
pub fn rules(outside_interface: &str, outside_addresses: &[Ipv4Addr], mappings: &Mappings) -> String {
    let addresses: Vec<String> = outside_addresses.iter().map(Ipv4Addr::to_string).collect();
    let udp_mapped: Vec<String> = mappings
        .keys()
        .filter(|external| external.transport == Transport::Udp)
        .map(|external| external.port.to_string())
        .collect();
    let sets = [
        format!("\tset outside {{ type ipv4_addr;{} }}\n", elements(&addresses)),
        format!("\tset udp_mapped {{ type inet_service;{} }}\n", elements(&udp_mapped)),
        map("udp_ports", mappings, Transport::Udp),
        map("tcp_ports", mappings, Transport::Tcp),
    ];
    let translations: String = ["udp", "tcp"]
        .map(|transport| {
            format!(
                "\t\tiifname != \"{outside_interface}\" ip daddr @outside \
                 dnat ip to {transport} dport map @{transport}_ports\n"
            )
        })
        .concat();
    format!(
        "{REMOVAL}table {TABLE} {{\n{}\
         \tchain untracked {{\n\t\ttype filter hook prerouting priority raw;\n\
         \t\tiifname != \"{outside_interface}\" ip daddr @outside udp dport {PORTS_OF_MOSH} \
         udp dport != @udp_mapped notrack\n\t}}\n\
         \tchain prerouting {{\n\t\ttype nat hook prerouting priority dstnat;\n{translations}\t}}\n\
         \tchain postrouting {{\n\t\ttype nat hook postrouting priority srcnat;\n\
         \t\tiifname != \"{outside_interface}\" oifname != \"{outside_interface}\" ct status dnat \
         ct original ip daddr @outside masquerade\n\t}}\n}}\n",
        sets.concat()
    )
}

fn map(name: &str, mappings: &Mappings, transport: Transport) -> String {
    let mut pairs = Vec::new();
    for (external, internal) in mappings {
        if external.transport == transport {
            pairs.push(format!("{} : {} . {}", external.port, internal.ip(), internal.port()));
        }
    }
    format!("\tmap {name} {{ type inet_service : ipv4_addr . inet_service;{} }}\n", elements(&pairs))
}

/// An empty list is a syntax error.
fn elements(list: &[String]) -> String {
    let mut text = String::new();
    if !list.is_empty() {
        write!(text, " elements = {{ {} }};", list.join(", ")).expect("a String takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::mapping::External;

    #[test]
    fn every_mapping_is_translated_from_every_side_but_the_outside() {
        let external = |transport, port| External { transport, port: NonZeroU16::new(port).unwrap() };
        let mappings = Mappings::from([
            (external(Transport::Udp, 60001), "192.168.1.10:60002".parse().unwrap()),
            (external(Transport::Udp, 60003), "192.168.1.11:60003".parse().unwrap()),
            (external(Transport::Tcp, 8022), "192.168.1.10:22".parse().unwrap()),
        ]);
        let expected = "\
table inet moshpunch_guard
delete table inet moshpunch_guard
table inet moshpunch_guard {
\tset outside { type ipv4_addr; elements = { 20.0.0.1 }; }
\tset udp_mapped { type inet_service; elements = { 60001, 60003 }; }
\tmap udp_ports { type inet_service : ipv4_addr . inet_service; \
elements = { 60001 : 192.168.1.10 . 60002, 60003 : 192.168.1.11 . 60003 }; }
\tmap tcp_ports { type inet_service : ipv4_addr . inet_service; elements = { 8022 : 192.168.1.10 . 22 }; }
\tchain untracked {
\t\ttype filter hook prerouting priority raw;
\t\tiifname != \"wan0\" ip daddr @outside udp dport 60000-61000 udp dport != @udp_mapped notrack
\t}
\tchain prerouting {
\t\ttype nat hook prerouting priority dstnat;
\t\tiifname != \"wan0\" ip daddr @outside dnat ip to udp dport map @udp_ports
\t\tiifname != \"wan0\" ip daddr @outside dnat ip to tcp dport map @tcp_ports
\t}
\tchain postrouting {
\t\ttype nat hook postrouting priority srcnat;
\t\tiifname != \"wan0\" oifname != \"wan0\" ct status dnat ct original ip daddr @outside masquerade
\t}
}
";
        assert_eq!(rules("wan0", &[Ipv4Addr::new(20, 0, 0, 1)], &mappings), expected);
    }

    #[test]
    fn nothing_mapped_leaves_the_sets_empty() {
        let rules = rules("wan0", &[], &Mappings::new());
        assert!(!rules.contains("elements"), "{rules}");
    }
}
