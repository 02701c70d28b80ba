//! From where openers come, as it is seen by others.

use std::net::{IpAddr, SocketAddr};

use portmap::address::{Reach, reach};
use wire::channel::TARGETS_MAXIMUM;
use wire::opener::is_target;

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Origins {
    /// Where mosh-server's socket is; an unspecified address is any. Most NATs keep its port.
    pub(crate) bound: SocketAddr,
    /// What gateways have mapped to it.
    pub(crate) mapped: Vec<SocketAddr>,
    /// The gateway's address outside, whatever it maps.
    pub(crate) outside: Option<IpAddr>,
    /// This host's own, from which it sends.
    pub(crate) sources: Vec<IpAddr>,
    /// This host's own, by which ssh came in.
    pub(crate) ssh: Option<IpAddr>,
}

impl Origins {
    /// The likeliest first.
    pub(crate) fn list(&self) -> Vec<SocketAddr> {
        let own = self.sources.iter().copied().chain(self.ssh).chain([self.bound.ip()]);
        let own = own.filter(|&address| self.is_public_source(address));
        let with_own_port = self.outside.into_iter().chain(own);
        let with_own_port = with_own_port.map(|address| SocketAddr::new(address, self.bound.port()));
        let mut list = Vec::new();
        for origin in self.mapped.iter().copied().chain(with_own_port) {
            if self.speaks(origin.ip()) && is_target(origin) && !list.contains(&origin) {
                list.push(origin);
            }
        }
        list.truncate(TARGETS_MAXIMUM);
        list
    }

    fn is_public_source(&self, address: IpAddr) -> bool {
        let bound = self.bound.ip();
        reach(address) == Reach::Public && (bound.is_unspecified() || address == bound)
    }

    /// Whether the socket is of that family; on `::` it is of both.
    fn speaks(&self, address: IpAddr) -> bool {
        let bound = self.bound.ip();
        address.is_ipv6() == bound.is_ipv6() || (bound.is_ipv6() && bound.is_unspecified())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Origins {
        bound("[::]:60001")
    }

    fn bound(address: &str) -> Origins {
        let bound = address.parse().unwrap();
        Origins { bound, mapped: Vec::new(), outside: None, sources: Vec::new(), ssh: None }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn listed(origins: &Origins) -> Vec<String> {
        origins.list().iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn behind_a_nat_it_is_the_gateways_address() {
        let (outside, sources) = (Some(address("20.0.0.1")), vec![address("192.168.1.10")]);
        let ssh = Some(address("192.168.1.10"));
        for bound in [bound("[::]:60001"), bound("0.0.0.0:60001"), bound("192.168.1.10:60001")] {
            let origins = Origins { outside, sources: sources.clone(), ssh, ..bound };
            assert_eq!(listed(&origins), ["20.0.0.1:60001"], "{origins:?}");
        }
    }

    #[test]
    fn a_mapped_port_comes_before_ones_own() {
        let mapped = vec!["20.0.0.1:60017".parse().unwrap()];
        let outside = Some(address("20.0.0.1"));
        let expected = ["20.0.0.1:60017", "20.0.0.1:60001"];
        assert_eq!(listed(&Origins { mapped, outside, ..nothing() }), expected);
    }

    #[test]
    fn ones_own_addresses_count_where_others_reach_them_and_once() {
        let sources = ["2a00:7::10", "fd07::10", "10.0.0.1", "20.0.0.7", "2a00:7::10"].map(address).to_vec();
        let ssh = Some(address("20.0.0.7"));
        let expected = ["[2a00:7::10]:60001", "20.0.0.7:60001"];
        assert_eq!(listed(&Origins { sources, ssh, ..nothing() }), expected);
    }

    #[test]
    fn where_mosh_server_does_not_listen_nothing_comes_from() {
        let sources = ["2a00:7::10", "20.0.0.7"].map(address).to_vec();
        let outside = Some(address("20.0.0.1"));
        let ssh = Some(address("2a00:7::11"));
        for (at, expected) in [
            ("0.0.0.0:60001", &["20.0.0.1:60001", "20.0.0.7:60001"][..]),
            ("[2a00:7::10]:60001", &["[2a00:7::10]:60001"]),
            ("[2a00:7::11]:60001", &["[2a00:7::11]:60001"]),
            ("[2a00:7::12]:60001", &["[2a00:7::12]:60001"]),
        ] {
            assert_eq!(
                listed(&Origins { sources: sources.clone(), outside, ssh, ..bound(at) }),
                expected,
                "{at}"
            );
        }
    }

    #[test]
    fn what_nobody_could_reach_is_not_told_and_neither_is_too_much() {
        let mapped = (1..=20).map(|port| SocketAddr::from(([20, 0, 0, 1], port))).collect();
        let unreachable = vec!["0.0.0.0:1".parse().unwrap(), "20.0.0.1:0".parse().unwrap()];
        assert_eq!(listed(&Origins { mapped: unreachable, ..nothing() }), [""; 0]);
        assert_eq!(Origins { mapped, ..nothing() }.list().len(), TARGETS_MAXIMUM);
    }
}
