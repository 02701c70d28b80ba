//! From where openers come, as it is seen by others.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use portmap::address::{Reach, reach};
use wire::channel::TARGETS_MAXIMUM;
use wire::opener::is_target;

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Origins {
    /// mosh-server's. Most NATs keep it.
    pub(crate) port: NonZeroU16,
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
    pub(crate) fn list(self) -> Vec<SocketAddr> {
        let Self { port, mapped, outside, sources, ssh } = self;
        let own = sources.into_iter().chain(ssh).filter(|&address| reach(address) == Reach::Public);
        let with_own_port =
            outside.into_iter().chain(own).map(|address| SocketAddr::new(address, port.get()));
        let mut list = Vec::new();
        for origin in mapped.into_iter().chain(with_own_port).filter(|&origin| is_target(origin)) {
            if !list.contains(&origin) {
                list.push(origin);
            }
        }
        list.truncate(TARGETS_MAXIMUM);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Origins {
        let port = 60001.try_into().unwrap();
        Origins { port, mapped: Vec::new(), outside: None, sources: Vec::new(), ssh: None }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn listed(origins: Origins) -> Vec<String> {
        origins.list().iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn behind_a_nat_it_is_the_gateways_address() {
        let (outside, sources) = (Some(address("20.0.0.1")), vec![address("192.168.1.10")]);
        let ssh = Some(address("192.168.1.10"));
        assert_eq!(listed(Origins { outside, sources, ssh, ..nothing() }), ["20.0.0.1:60001"]);
    }

    #[test]
    fn a_mapped_port_comes_before_ones_own() {
        let mapped = vec!["20.0.0.1:60017".parse().unwrap()];
        let outside = Some(address("20.0.0.1"));
        let expected = ["20.0.0.1:60017", "20.0.0.1:60001"];
        assert_eq!(listed(Origins { mapped, outside, ..nothing() }), expected);
    }

    #[test]
    fn ones_own_addresses_count_where_others_reach_them_and_once() {
        let sources = ["2a00:7::10", "fd07::10", "10.0.0.1", "20.0.0.7", "2a00:7::10"].map(address).to_vec();
        let ssh = Some(address("20.0.0.7"));
        let expected = ["[2a00:7::10]:60001", "20.0.0.7:60001"];
        assert_eq!(listed(Origins { sources, ssh, ..nothing() }), expected);
    }

    #[test]
    fn what_nobody_could_reach_is_not_told_and_neither_is_too_much() {
        let mapped = (1..=20).map(|port| SocketAddr::from(([20, 0, 0, 1], port))).collect();
        let unreachable = vec!["0.0.0.0:1".parse().unwrap(), "20.0.0.1:0".parse().unwrap()];
        assert_eq!(listed(Origins { mapped: unreachable, ..nothing() }), [""; 0]);
        assert_eq!(Origins { mapped, ..nothing() }.list().len(), TARGETS_MAXIMUM);
    }
}
