//! How this host is attached to the networks around it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portmap::address::Network;
use system::network;
pub use system::network::name_of;
pub use system::source::source_toward;

/// Somewhere in the global unicast range (RFC 4291 §2.4), to ask the kernel which way it is.
const INTERNET: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1);

/// A snapshot of the addresses and gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachment {
    pub addresses: Vec<LocalAddress>,
    /// Of the default routes, best metric first.
    pub gateways: Vec<Gateway>,
}

/// An address of this host, and the network that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    pub interface: u32,
    pub address: IpAddr,
    pub prefix_length: u8,
}

/// The next hop of a default route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    /// Also the scope of a link-local address.
    pub interface: u32,
    pub address: IpAddr,
    /// The address that this host uses toward the gateway; for an IPv6 gateway, toward the internet behind it.
    pub source: Option<IpAddr>,
}

impl Attachment {
    /// Reads it from the kernel.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn read() -> io::Result<Self> {
        let addresses = network::addresses()?.into_iter().map(|own| LocalAddress {
            interface: own.interface,
            address: own.address,
            prefix_length: own.prefix_length,
        });
        let gateways = network::gateways()?.into_iter().map(|gateway| Gateway {
            interface: gateway.interface,
            address: gateway.address,
            source: source_through(gateway.address),
        });
        Ok(Self { addresses: addresses.collect(), gateways: gateways.collect() })
    }

    /// The router of the IPv4 default route.
    #[must_use]
    pub fn gateway_v4(&self) -> Option<Gateway> {
        self.gateways.iter().copied().find(|gateway| gateway.address.is_ipv4())
    }

    /// The router of the IPv6 default route, usually link-local.
    #[must_use]
    pub fn gateway_v6(&self) -> Option<Gateway> {
        self.gateways.iter().copied().find(|gateway| gateway.address.is_ipv6())
    }

    /// Own addresses on that interface that can be reached from outside: global unicast ones and unique local ones.
    ///
    /// Temporary (RFC 8981) and deprecated addresses are among them: the library does not tell them apart. The kernel
    /// does, and tells in [`Gateway::source`] which one it would use.
    pub fn global_v6(&self, interface: u32) -> impl Iterator<Item = Ipv6Addr> {
        let own = self.addresses.iter().filter(move |own| own.interface == interface);
        own.filter_map(|own| match own.address {
            IpAddr::V6(address) => Some(address).filter(is_global),
            IpAddr::V4(_) => None,
        })
    }

    /// The interface that has `address`; of several, the one with `gateway`.
    #[must_use]
    pub fn interface_of(&self, address: IpAddr, gateway: Option<IpAddr>) -> Option<u32> {
        let leads_to_gateway = |interface: u32| {
            self.gateways.iter().any(|it| it.interface == interface && Some(it.address) == gateway)
        };
        let own = self.addresses.iter().filter(|own| own.address == address);
        own.map(|own| own.interface).max_by_key(|&interface| leads_to_gateway(interface))
    }

    /// The interface on whose link `address` is: all of 127.0.0.0/8 is this host's, though only 127.0.0.1 is told.
    #[must_use]
    pub fn interface_toward(&self, address: IpAddr) -> Option<u32> {
        self.addresses.iter().find(|own| own.network().contains(address)).map(|own| own.interface)
    }

    /// The networks on that interface, each by this host's address in it.
    pub fn networks(&self, interface: u32) -> impl Iterator<Item = Network> {
        let own = self.addresses.iter().filter(move |own| own.interface == interface);
        own.map(LocalAddress::network)
    }

    #[must_use]
    pub fn is_gateway(&self, address: IpAddr) -> bool {
        self.gateways.iter().any(|gateway| gateway.address == address)
    }

    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address == address)
    }

    /// Whether `address` is reached without any router.
    #[must_use]
    pub fn is_on_link(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.network().contains(address))
    }

    /// Whether `address` is this host's own, on the link that it shares with `gateway`. A link-local gateway is on the
    /// links whose router it is.
    #[must_use]
    pub fn faces(&self, address: IpAddr, gateway: IpAddr) -> bool {
        let own = self.addresses.iter().filter(|own| own.address == address);
        own.into_iter().any(|own| match gateway {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                address.is_ipv6() && self.is_gateway_of(gateway, own.interface)
            }
            _ => own.network().contains(gateway),
        })
    }

    fn is_gateway_of(&self, address: IpAddr, interface: u32) -> bool {
        self.gateways.iter().any(|gateway| (gateway.address, gateway.interface) == (address, interface))
    }
}

impl LocalAddress {
    fn network(&self) -> Network {
        Network { address: self.address, prefix_length: self.prefix_length }
    }
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn is_global(address: &Ipv6Addr) -> bool {
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unicast_link_local())
}

/// What the kernel would send from. Connecting a datagram socket sends nothing.
fn source_through(gateway: IpAddr) -> Option<IpAddr> {
    match gateway {
        IpAddr::V4(_) => source_toward(gateway),
        // Toward its link-local address it would be ours, which nobody outside can reach.
        IpAddr::V6(_) => source_toward(INTERNET.into()),
    }
}

/// The IPv4 addresses of the interface of that name; none if there is no such interface.
///
/// # Errors
///
/// The kernel does not tell.
pub fn addresses_of(interface: &str) -> io::Result<Vec<Ipv4Addr>> {
    let own = network::addresses()?;
    let own = own.iter().filter(|own| name_of(own.interface).is_some_and(|name| name == interface));
    Ok(own.filter_map(|own| v4(own.address)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn attachment() -> Attachment {
        let own = |text, prefix_length| LocalAddress { interface: 1, address: address(text), prefix_length };
        Attachment {
            addresses: vec![own("192.168.1.10", 24), own("10.8.0.2", 32), own("fd00::10", 64)],
            gateways: vec![Gateway { interface: 1, address: address("192.168.1.1"), source: None }],
        }
    }

    #[test]
    fn the_prefix_decides_what_is_on_the_link() {
        let host = attachment();
        for (there, expected) in [
            ("192.168.1.200", true),
            ("192.168.2.1", false),
            ("10.8.0.2", true),
            ("10.8.0.1", false),
            ("fd00::9", true),
            ("fd00:0:0:1::9", false),
            ("20.0.0.9", false),
        ] {
            assert_eq!(host.is_on_link(address(there)), expected, "{there}");
        }
    }

    #[test]
    fn an_address_faces_the_gateway_only_on_the_gateways_link() {
        let host = attachment();
        assert!(host.faces(address("192.168.1.10"), address("192.168.1.1")));
        assert!(!host.faces(address("10.8.0.2"), address("192.168.1.1")));
        assert!(!host.faces(address("192.168.1.77"), address("192.168.1.1")));
    }

    /// Two links with the same router's address on them, as link-local ones are.
    fn attachment_v6() -> Attachment {
        let own = |interface, text, prefix_length| LocalAddress {
            interface,
            address: address(text),
            prefix_length,
        };
        let gateway = |interface| Gateway { interface, address: address("fe80::1"), source: None };
        Attachment {
            addresses: vec![
                own(2, "2a00:7::10", 64),
                own(2, "fd07::10", 64),
                own(2, "fe80::10", 64),
                own(3, "2a00:8::10", 128),
                own(3, "fe80::10", 64),
                own(4, "2a00:9::10", 64),
            ],
            gateways: vec![gateway(3), gateway(2)],
        }
    }

    #[test]
    fn a_link_local_gateway_is_faced_from_its_own_links() {
        let host = attachment_v6();
        assert!(host.faces(address("2a00:7::10"), address("fe80::1")));
        assert!(host.faces(address("2a00:8::10"), address("fe80::1")));
        assert!(!host.faces(address("2a00:9::10"), address("fe80::1")));
        assert!(!host.faces(address("2a00:7::11"), address("fe80::1")));
        assert_eq!(host.gateway_v6().unwrap().interface, 3);
        assert_eq!(host.gateway_v4(), None);
    }

    #[test]
    fn an_interface_has_its_own_global_addresses_and_networks() {
        let host = attachment_v6();
        let global: Vec<_> = host.global_v6(2).map(IpAddr::from).collect();
        assert_eq!(global, [address("2a00:7::10"), address("fd07::10")]);
        let networks: Vec<_> = host.networks(3).collect();
        assert_eq!(networks.len(), 2);
        assert!(networks[1].contains(address("fe80::1")));
        assert!(!networks[0].contains(address("2a00:8::11")));
    }

    #[test]
    fn of_two_interfaces_with_one_address_the_gateways_is_meant() {
        let host = attachment_v6();
        assert_eq!(host.interface_of(address("2a00:7::10"), None), Some(2));
        assert_eq!(host.interface_of(address("2a00:7::99"), None), None);
        let only_on_two = Attachment { gateways: vec![host.gateways[1]], ..host };
        assert_eq!(only_on_two.interface_of(address("fe80::10"), Some(address("fe80::1"))), Some(2));
    }

    #[test]
    fn an_interface_is_found_by_its_name() {
        assert!(addresses_of("lo").unwrap().contains(&Ipv4Addr::LOCALHOST));
        assert_eq!(addresses_of("nowhere0").unwrap(), [Ipv4Addr::LOCALHOST; 0]);
    }

    #[test]
    fn loopback_is_attached_to_every_host() {
        let host = Attachment::read().unwrap();
        assert!(host.is_own(address("127.0.0.1")), "{host:?}");
    }
}
