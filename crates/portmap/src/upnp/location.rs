//! Which description URL is followed, of those that an answer to the search may name.

use std::net::IpAddr;

use super::url::Url;
use crate::address::Network;

/// What this host knows of its link.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) default_gateway: Option<IpAddr>,
    /// Each by this host's address in it.
    pub(super) networks: Vec<Network>,
}

impl Surroundings {
    /// Security: only who could be the gateway is heard, which is the default gateway, or a host of our link. Whoever
    /// else answers has no part in this link's search, and would make us send requests to wherever it says.
    pub(super) fn believes(&self, from: IpAddr) -> bool {
        self.is_default(from) || self.is_neighbour(from)
    }

    /// Where what `from` says of its location leads, if it leads anywhere.
    ///
    /// Security: a description on another host would make us request anything from anywhere. So it must be on the
    /// one that answered, or on the default gateway, for which a twin of it may answer (CARP, VRRP); and where the
    /// default gateway names another host, it means itself (tailscale#5502).
    ///
    /// An IPv6 router answers from its link-local address and names its global one, and nothing tells that the two are
    /// one host. So one neighbour may name another. That gives it nothing: whoever answers from this link can make
    /// that request itself, and even in our name, as neighbour discovery is not authenticated either. What it cannot
    /// do is to make us ask beyond the link, or ask ourselves.
    pub(super) fn located(&self, from: IpAddr, location: Url) -> Option<Url> {
        if !self.believes(from) {
            tracing::debug!(%from, %location, "an answer from beyond the link");
            return None;
        }
        let host = location.host();
        let neighbours = host.is_ipv6() && self.is_neighbour(host);
        if location.served_by(from) || self.is_default(host) || neighbours {
            return Some(location);
        }
        tracing::debug!(%from, %location, "a location on another host than the one that answered");
        self.is_default(from).then(|| location.at(from))
    }

    pub(super) fn is_default(&self, address: IpAddr) -> bool {
        Some(address) == self.default_gateway
    }

    /// Another host of the link.
    fn is_neighbour(&self, address: IpAddr) -> bool {
        let own = self.networks.iter().any(|network| network.address == address);
        let within = self.networks.iter().any(|network| network.contains(address));
        within && !own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn surroundings(default_gateway: &str, networks: &[(&str, u8)]) -> Surroundings {
        let network = |&(text, prefix_length)| Network { address: address(text), prefix_length };
        Surroundings {
            default_gateway: Some(address(default_gateway)),
            networks: networks.iter().map(network).collect(),
        }
    }

    /// A host with a global, a local and a link-local address.
    fn home() -> Surroundings {
        surroundings("fe80::1", &[("2a00:7::10", 64), ("fd07::10", 64), ("fe80::10", 64)])
    }

    fn home_v4() -> Surroundings {
        surroundings("192.168.1.1", &[("192.168.1.10", 24)])
    }

    fn followed(surroundings: &Surroundings, from: &str, host: &str) -> Option<String> {
        let location = Url::parse(&format!("http://{host}:5000/d.xml")).unwrap();
        surroundings.located(address(from), location).map(|url| url.authority())
    }

    #[test]
    fn a_neighbour_may_name_an_address_of_the_link_and_no_other() {
        for from in ["fe80::1", "fe80::2", "fd07::2"] {
            for host in ["[fd07::1]", "[2a00:7::1]", "[fe80::9]"] {
                assert_eq!(followed(&home(), from, host), Some(format!("{host}:5000")), "{from} {host}");
            }
        }
        assert_eq!(followed(&home(), "fe80::2", "[2a00:8::1]"), None);
        assert_eq!(followed(&home(), "fe80::2", "[::1]"), None);
        assert_eq!(followed(&home(), "fe80::2", "192.168.1.1"), None);
    }

    #[test]
    fn nobody_makes_us_ask_ourselves() {
        for own in ["[2a00:7::10]", "[fd07::10]", "[fe80::10]"] {
            assert_eq!(followed(&home(), "fe80::2", own), None, "{own}");
        }
    }

    #[test]
    fn who_is_neither_the_default_gateway_nor_on_the_link_is_not_heard() {
        for host in ["[fd07::1]", "[2a00:8::1]", "[fe80::1]"] {
            assert_eq!(followed(&home(), "2a00:8::1", host), None, "{host}");
        }
        for host in ["10.9.9.9", "192.168.1.1", "192.168.1.2"] {
            assert_eq!(followed(&home_v4(), "10.9.9.9", host), None, "{host}");
        }
    }

    #[test]
    fn nor_is_this_host_itself() {
        assert_eq!(followed(&home_v4(), "192.168.1.10", "192.168.1.10"), None);
        assert_eq!(followed(&home_v4(), "192.168.1.10", "192.168.1.1"), None);
    }

    #[test]
    fn where_no_network_is_known_the_default_gateway_alone_is_heard() {
        let unknown = surroundings("192.168.1.1", &[]);
        assert_eq!(followed(&unknown, "192.168.1.2", "192.168.1.2"), None);
        assert_eq!(followed(&unknown, "192.168.1.1", "192.168.1.1").as_deref(), Some("192.168.1.1:5000"));
    }

    #[test]
    fn the_default_gateway_that_names_a_strange_host_means_itself() {
        assert_eq!(followed(&home(), "fe80::1", "[2a00:8::1]").as_deref(), Some("[fe80::1]:5000"));
        let unknown = surroundings("fe80::1", &[]);
        assert_eq!(followed(&unknown, "fe80::1", "[fd07::1]").as_deref(), Some("[fe80::1]:5000"));
    }

    #[test]
    fn in_ipv4_one_host_may_not_name_another_of_the_link() {
        assert_eq!(followed(&home_v4(), "192.168.1.2", "192.168.1.3"), None);
        assert_eq!(followed(&home_v4(), "192.168.1.1", "192.168.1.3").as_deref(), Some("192.168.1.1:5000"));
        assert_eq!(followed(&home_v4(), "192.168.1.2", "192.168.1.2").as_deref(), Some("192.168.1.2:5000"));
    }
}
