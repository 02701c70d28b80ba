//! Which interface is outside and which is inside.

use std::net::Ipv4Addr;

use portmap::address::{Reach, reach};

use crate::rule::Network;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    /// IPv4 addresses, each with the length of its prefix.
    pub addresses: Vec<(Ipv4Addr, u8)>,
}

impl Interface {
    /// The first network that an address of this interface is in, and that address.
    #[must_use]
    pub fn network(&self) -> Option<(Ipv4Addr, Network)> {
        let (address, prefix_length) = *self.addresses.first()?;
        Some((address, Network::of(address, prefix_length)))
    }

    fn is_private(&self) -> bool {
        let is_lan = |address: Ipv4Addr| !address.is_loopback() && reach(address.into()) == Reach::Private;
        self.addresses.iter().any(|(address, _)| is_lan(*address))
    }
}

/// What a role can be filled with; certain if it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    pub wan: Vec<String>,
    pub lan: Vec<String>,
}

/// The default route leads out; of the other interfaces, those with a private address may be inside. What the user has
/// `said` is not guessed.
#[must_use]
pub fn candidates(
    interfaces: &[Interface],
    default_routes: &[String],
    said: (Option<&str>, Option<&str>),
) -> Candidates {
    let wan = match said.0 {
        Some(name) => vec![name.to_owned()],
        None => without_repeats(default_routes.iter().filter(|name| Some(name.as_str()) != said.1)),
    };
    let lan = match said.1 {
        Some(name) => vec![name.to_owned()],
        None => {
            let inside = interfaces.iter().filter(|interface| interface.is_private());
            without_repeats(inside.map(|interface| &interface.name).filter(|name| !wan.contains(name)))
        }
    };
    Candidates { wan, lan }
}

/// The interfaces of the default routes in /proc/net/route, the lowest metric first.
#[must_use]
pub fn default_routes(table: &str) -> Vec<String> {
    let mut routes: Vec<(u32, String)> = table.lines().skip(1).filter_map(default_route).collect();
    routes.sort_by_key(|(metric, _)| *metric);
    routes.into_iter().map(|(_, interface)| interface).collect()
}

/// Of the fields Iface, Destination, Gateway, Flags, RefCnt, Use, Metric, Mask.
fn default_route(line: &str) -> Option<(u32, String)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [interface, "00000000", _, _, _, _, metric, "00000000", ..] = fields[..] else { return None };
    Some((metric.parse().ok()?, interface.to_owned()))
}

fn without_repeats<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        if !found.contains(name) {
            found.push(name.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: &str, prefix_length: u8) -> Interface {
        Interface { name: name.into(), addresses: vec![(address.parse().unwrap(), prefix_length)] }
    }

    fn found(
        interfaces: &[Interface],
        routes: &[&str],
        said: (Option<&str>, Option<&str>),
    ) -> (String, String) {
        let routes: Vec<_> = routes.iter().map(|&route| route.to_owned()).collect();
        let candidates = candidates(interfaces, &routes, said);
        (candidates.wan.join(" "), candidates.lan.join(" "))
    }

    #[test]
    fn the_default_route_leads_out_and_the_private_network_is_inside() {
        let home = [
            interface("lo", "127.0.0.1", 8),
            interface("wan0", "20.0.0.1", 24),
            interface("lan0", "192.168.1.1", 24),
        ];
        assert_eq!(found(&home, &["wan0"], (None, None)), ("wan0".into(), "lan0".into()));
        assert_eq!(found(&home, &["wan0", "wan0"], (None, None)), ("wan0".into(), "lan0".into()));
        assert_eq!(found(&home, &[], (None, None)), (String::new(), "lan0".into()));
        assert_eq!(found(&home, &[], (Some("wan0"), None)), ("wan0".into(), "lan0".into()));
        let double = [interface("eth0", "10.0.0.2", 24), interface("eth1", "192.168.1.1", 24)];
        assert_eq!(found(&double, &["eth0"], (None, None)), ("eth0".into(), "eth1".into()));
    }

    #[test]
    fn default_routes_come_in_the_order_of_their_metric() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     wwan0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0\n\
                     lan0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                     ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n";
        assert_eq!(default_routes(table), ["ppp0", "wwan0"]);
    }

    #[test]
    fn what_is_not_certain_is_left_to_the_user() {
        let many = [interface("br0", "192.168.1.1", 24), interface("docker0", "172.17.0.1", 16)];
        assert_eq!(
            found(&many, &["ppp0", "wwan0"], (None, None)),
            ("ppp0 wwan0".into(), "br0 docker0".into())
        );
        assert_eq!(found(&many, &["ppp0"], (None, Some("br0"))), ("ppp0".into(), "br0".into()));
    }
}
