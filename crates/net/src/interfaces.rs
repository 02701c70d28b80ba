//! How this host is attached to the networks around it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// A snapshot of the addresses and gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachment {
    pub addresses: Vec<LocalAddress>,
    /// Of the default routes, best metric first.
    pub gateways: Vec<Gateway>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    pub interface: u32,
    pub address: IpAddr,
    pub prefix_length: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    pub interface: u32,
    pub address: IpAddr,
    /// The address that this host uses toward the gateway.
    pub source: Option<IpAddr>,
}

impl Attachment {
    /// Reads it from the kernel.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn read() -> io::Result<Self> {
        let addresses = getifs::interface_addrs()?;
        let addresses = addresses.iter().map(|net| LocalAddress {
            interface: net.index(),
            address: net.addr(),
            prefix_length: net.prefix_len(),
        });
        let gateways = getifs::gateway_addrs()?;
        let gateways = gateways.iter().map(|gateway| Gateway {
            interface: gateway.index(),
            address: gateway.addr(),
            source: source_toward(gateway.addr()),
        });
        Ok(Self { addresses: addresses.collect(), gateways: gateways.collect() })
    }

    /// The router of the IPv4 default route.
    #[must_use]
    pub fn gateway_v4(&self) -> Option<Gateway> {
        self.gateways.iter().copied().find(|gateway| gateway.address.is_ipv4())
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
        self.addresses.iter().any(|own| own.covers(address))
    }

    /// Whether `address` is this host's own, on the link that it shares with `gateway`.
    #[must_use]
    pub fn faces(&self, address: IpAddr, gateway: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address == address && own.covers(gateway))
    }
}

impl LocalAddress {
    fn covers(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.leading_zeros() >= u32::from(self.prefix_length)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.leading_zeros() >= u32::from(self.prefix_length)
            }
            _ => false,
        }
    }
}

/// What the kernel would send from. Connecting a datagram socket sends nothing.
fn source_toward(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((destination, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
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

    #[test]
    fn loopback_is_attached_to_every_host() {
        let host = Attachment::read().unwrap();
        assert!(host.is_own(address("127.0.0.1")), "{host:?}");
    }
}
