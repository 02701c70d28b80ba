//! The link that one of this host's addresses is on.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use portmap::address::Network;

use crate::interfaces::Attachment;

/// Whose networks the pure crates are told; and what they leave out of link-local addresses, because all of a mapper's
/// are on one link: its scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link {
    /// 0: not known, which IPv4 can do without: it has no scopes.
    interface: u32,
    networks: Vec<Network>,
}

impl Link {
    /// # Errors
    ///
    /// `internal` is no address of this host. (In IPv4 nothing has to be known, and binding a socket will tell.)
    pub(crate) fn of(internal: IpAddr, gateway: Option<IpAddr>) -> io::Result<Self> {
        let host = Attachment::read()?;
        let toward = || host.interface_toward(internal).filter(|_| internal.is_ipv4());
        match host.interface_of(internal, gateway).or_else(toward) {
            Some(interface) => Ok(Self { interface, networks: host.networks(interface).collect() }),
            None if internal.is_ipv4() => Ok(Self::default()),
            None => Err(ErrorKind::AddrNotAvailable.into()),
        }
    }

    pub(crate) fn interface(&self) -> u32 {
        self.interface
    }

    pub(crate) fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// The same address on this link.
    pub(crate) fn scoped(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V6(v6) if needs_scope(&v6) => {
                SocketAddrV6::new(*v6.ip(), v6.port(), v6.flowinfo(), self.interface).into()
            }
            address => address,
        }
    }
}

fn needs_scope(address: &SocketAddrV6) -> bool {
    address.ip().is_unicast_link_local() || address.ip().is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_on_every_link_gets_a_scope_and_nothing_else() {
        let link = Link { interface: 7, networks: Vec::new() };
        let scoped = |text: &str| link.scoped(text.parse().unwrap()).to_string();
        assert_eq!(scoped("[fe80::1]:5351"), "[fe80::1%7]:5351");
        assert_eq!(scoped("[ff02::c]:1900"), "[ff02::c%7]:1900");
        assert_eq!(scoped("[fd07::1]:5000"), "[fd07::1]:5000");
        assert_eq!(scoped("192.168.1.1:5351"), "192.168.1.1:5351");
    }

    #[test]
    fn a_strangers_address_is_on_no_link() {
        let error = Link::of("2001:db8::1".parse().unwrap(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn in_ipv4_a_link_may_be_unknown() {
        assert_eq!(Link::of("240.0.0.1".parse().unwrap(), None).unwrap().interface(), 0);
    }

    #[test]
    fn the_networks_of_an_address_are_those_of_its_interface() {
        let link = Link::of("127.0.0.77".parse().unwrap(), None).unwrap();
        assert!(link.networks().iter().any(|network| network.contains("127.0.0.2".parse().unwrap())));
    }
}
