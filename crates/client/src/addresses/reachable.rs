//! To which addresses datagrams may be sent at all: one rule, whoever names them.
//!
//! A scope (RFC 4007) is a name for one of this machine's own interfaces. What a host says of scopes is about its own
//! interfaces, so that a link-local address counts only if the user's own name for the host leads to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use net::interfaces;

/// Whose word an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    /// What ssh led to: it may be hostile, and this machine's own services are none of its business.
    Host,
    /// The user's name for the host, looked up here. ssh goes where it leads, this machine included.
    Name,
}

/// The address in its plain form, if it is one host's and that of a port.
pub(crate) fn reachable(address: SocketAddr, witness: Witness) -> Option<SocketAddr> {
    let port = Some(address.port()).filter(|&port| port != 0)?;
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => v4(ip, witness).map(|ip| SocketAddr::from((ip, port))),
        IpAddr::V6(ip) => {
            let (ip, scope) = v6(ip, scope(address), witness)?;
            Some(SocketAddrV6::new(ip, port, 0, scope).into())
        }
    }
}

fn v4(address: Ipv4Addr, witness: Witness) -> Option<Ipv4Addr> {
    if witness == Witness::Name && address.is_unspecified() {
        // connect(2) takes it so, and with it ssh.
        return Some(Ipv4Addr::LOCALHOST);
    }
    // RFC 6890: "this network", multicast, reserved and broadcast.
    let is_one_hosts = (1..224).contains(&address.octets()[0]);
    let is_due = witness == Witness::Name || !address.is_loopback();
    Some(address).filter(|_| is_one_hosts && is_due)
}

fn v6(address: Ipv6Addr, scope: u32, witness: Witness) -> Option<(Ipv6Addr, u32)> {
    match (address, witness) {
        (Ipv6Addr::UNSPECIFIED | Ipv6Addr::LOCALHOST, Witness::Name) => Some((Ipv6Addr::LOCALHOST, 0)),
        (address, _) if address.is_multicast() || is_deprecated(address) => None,
        (address, Witness::Name) if address.is_unicast_link_local() => {
            Some((address, scope)).filter(|_| scope != 0)
        }
        (address, Witness::Host) if address.is_unicast_link_local() => None,
        (address, _) => Some((address, 0)),
    }
}

/// None is 0.
fn scope(address: SocketAddr) -> u32 {
    if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 }
}

/// RFC 4291 §2.5.5.1: `::` before an IPv4 address. `::` and `::1` look so, too.
fn is_deprecated(address: Ipv6Addr) -> bool {
    address.segments()[..6] == [0; 6]
}

/// As a user writes it: `[fe80::2%usb0]:60001`.
pub(crate) fn shown(address: SocketAddr) -> String {
    match scoped(address) {
        Some(scoped) => format!("[{scoped}]:{}", address.port()),
        None => address.to_string(),
    }
}

/// The same without the port, as ssh takes it.
pub(crate) fn shown_host(address: SocketAddr) -> String {
    scoped(address).unwrap_or_else(|| address.ip().to_string())
}

/// An interface that is gone has a number only.
fn scoped(address: SocketAddr) -> Option<String> {
    let scope = Some(scope(address)).filter(|&scope| scope != 0)?;
    let interface = interfaces::name_of(scope).unwrap_or_else(|| scope.to_string());
    Some(format!("{}%{interface}", address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of it, by the word of the host and by that of the name.
    fn told(address: &str) -> [Option<String>; 2] {
        let address: SocketAddr = address.parse().unwrap();
        [Witness::Host, Witness::Name].map(|witness| reachable(address, witness).map(|it| it.to_string()))
    }

    #[test]
    fn one_hosts_addresses_are_reached_whoever_names_them() {
        for (address, plain) in [
            ("20.0.0.1:60001", "20.0.0.1:60001"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("169.254.7.7:60001", "169.254.7.7:60001"),
            ("1.0.0.0:60001", "1.0.0.0:60001"),
            ("223.255.255.255:65535", "223.255.255.255:65535"),
            ("[::ffff:192.168.1.10]:60001", "192.168.1.10:60001"),
            ("[2a00:7::10]:60001", "[2a00:7::10]:60001"),
            ("[fd00::1]:60001", "[fd00::1]:60001"),
            ("[2a00:7::10%2]:60001", "[2a00:7::10]:60001"),
        ] {
            assert_eq!(told(address), [Some(plain.to_owned()), Some(plain.to_owned())], "{address}");
        }
    }

    #[test]
    fn what_is_no_single_hosts_is_not_reached() {
        for address in [
            "20.0.0.1:0",
            "[2a00:7::10]:0",
            "0.1.2.3:60001",
            "224.0.0.1:60001",
            "239.255.255.250:1900",
            "240.0.0.1:60001",
            "255.255.255.255:60001",
            "[::ffff:255.255.255.255]:60001",
            "[::ffff:224.0.0.1]:60001",
            "[ff02::1]:60001",
            "[ff02::1%2]:60001",
            "[ff0e::1]:60001",
            "[::127.0.0.1]:60001",
            "[fe80::2]:60001",
            "127.0.0.1:0",
            "[fe80::2%2]:0",
        ] {
            assert_eq!(told(address), [None, None], "{address}");
        }
    }

    #[test]
    fn this_machine_and_its_links_are_reached_by_the_users_own_name_alone() {
        for (address, plain) in [
            ("127.0.0.1:60001", "127.0.0.1:60001"),
            ("127.0.1.1:60001", "127.0.1.1:60001"),
            ("[::ffff:127.0.0.1]:60001", "127.0.0.1:60001"),
            ("0.0.0.0:60001", "127.0.0.1:60001"),
            ("[::ffff:0.0.0.0]:60001", "127.0.0.1:60001"),
            ("[::]:60001", "[::1]:60001"),
            ("[::1]:60001", "[::1]:60001"),
            ("[fe80::2%3]:60001", "[fe80::2%3]:60001"),
        ] {
            assert_eq!(told(address), [None, Some(plain.to_owned())], "{address}");
        }
    }

    #[test]
    fn a_scope_is_shown_by_the_name_of_its_interface() {
        let scoped = |scope| SocketAddrV6::new("fe80::2".parse().unwrap(), 60_001, 0, scope).into();
        assert_eq!(
            (shown(scoped(1)), shown_host(scoped(1))),
            ("[fe80::2%lo]:60001".into(), "fe80::2%lo".into())
        );
        assert_eq!(shown(scoped(u32::MAX)), "[fe80::2%4294967295]:60001");
        assert_eq!(shown("20.0.0.1:60001".parse().unwrap()), "20.0.0.1:60001");
        assert_eq!(shown_host("[2a00::1]:60001".parse().unwrap()), "2a00::1");
    }
}
