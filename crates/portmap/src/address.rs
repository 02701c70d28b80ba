//! Which addresses the rest of the internet can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address that a gateway calls external reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Globally routable.
    Public,
    /// Private or otherwise local (RFC 1918, RFC 3927, RFC 4193 …): another NAT stands above.
    Private,
    /// Shared by the provider's customers (RFC 6598, 100.64.0.0/10): a carrier-grade NAT stands above.
    CarrierShared,
    /// 0.0.0.0 or `::`: the gateway has no address, or does not tell.
    Unspecified,
}

/// A network, told by an address in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    /// In bits; more than the address has are as many as it has.
    pub prefix_length: u8,
}

impl Network {
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        let alike = match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        self.address == other || alike >= u32::from(self.prefix_length)
    }
}

/// Sorts `address` by the IANA special-purpose registries (RFC 6890 and its successors).
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [first, second, third, _] = address.octets();
    match (first, second, third) {
        _ if address.is_unspecified() => Reach::Unspecified,
        (100, 64..=127, _) => Reach::CarrierShared,
        (0 | 127 | 224..=255, _, _) | (198, 18 | 19, _) | (192, 0, 0) | (192, 88, 99) => Reach::Private,
        _ if address.is_private() || address.is_link_local() || address.is_documentation() => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let global_unicast = address.segments()[0] & 0xe000 == 0x2000;
    let documentation = address.segments()[..2] == [0x2001, 0x0db8];
    match address {
        _ if address.is_unspecified() => Reach::Unspecified,
        _ if global_unicast && !documentation => Reach::Public,
        _ => Reach::Private,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach_of(text: &str) -> Reach {
        reach(text.parse().expect("a literal address"))
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_its_own_does() {
        let network = |text: &str, prefix_length| Network { address: text.parse().unwrap(), prefix_length };
        let is_in = |text: &str, network: Network| network.contains(text.parse().unwrap());
        assert!(is_in("fd07::1", network("fd07::2", 64)));
        assert!(!is_in("fd07:0:0:1::1", network("fd07::2", 64)));
        assert!(is_in("fd07::2", network("fd07::2", 128)));
        assert!(!is_in("fd07::3", network("fd07::2", 128)));
        assert!(is_in("192.168.1.1", network("192.168.1.10", 24)));
        assert!(!is_in("192.168.2.1", network("192.168.1.10", 24)));
        assert!(!is_in("192.168.1.1", network("::", 0)));
    }

    #[test]
    fn every_special_purpose_range_is_told_from_the_public_ones() {
        for public in ["20.0.0.1", "1.1.1.1", "100.63.255.255", "100.128.0.0", "2a00::1", "::ffff:8.8.8.8"] {
            assert_eq!(reach_of(public), Reach::Public, "{public}");
        }
        for private in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.0.1",
            "127.0.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "192.0.0.1",
            "240.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "0.1.2.3",
            "fe80::1",
            "fd00::1",
            "::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(reach_of(private), Reach::Private, "{private}");
        }
        assert_eq!(reach_of("100.64.0.1"), Reach::CarrierShared);
        assert_eq!(reach_of("100.127.255.255"), Reach::CarrierShared);
        assert_eq!(reach_of("0.0.0.0"), Reach::Unspecified);
        assert_eq!(reach_of("::"), Reach::Unspecified);
    }
}
