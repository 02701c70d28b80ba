//! This host's addresses with what tells which of them others could reach. What to make of it is the reader's.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::net::sockopt::ipv6_v6only;
use socket2::{Domain, Protocol, Socket, Type};
use system::network;
pub use system::network::{Bridge, Interface, Standing};

/// An address of this host, with what it is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddress {
    pub address: IpAddr,
    pub standing: Standing,
    pub interface: Interface,
}

impl OwnAddress {
    /// All of this host, as the kernel lists them.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn all() -> io::Result<Vec<Self>> {
        let mut interfaces = BTreeMap::new();
        let own = network::addresses()?.into_iter().map(|own| Self {
            address: own.address,
            standing: own.standing,
            interface: interfaces
                .entry(own.interface)
                .or_insert_with_key(|&it| network::interface(it))
                .clone(),
        });
        Ok(own.collect())
    }
}

/// Whether a socket bound to `::` that asks for it serves IPv4, too; mosh-server's asks.
#[must_use]
pub fn is_dual_stack() -> bool {
    let bound = || {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_only_v6(false)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into())
    };
    bound().is_ok()
}

/// Whether an IPv6 socket that asks for nothing does, as the system has it (Linux: `net.ipv6.bindv6only`); mosh-client's
/// asks for nothing.
#[must_use]
pub fn is_dual_stack_unasked() -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok_and(|socket| ipv6_v6only(&socket) == Ok(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_address_of_every_host() {
        let own = OwnAddress::all().unwrap();
        let loopback = own.iter().find(|own| own.address.is_loopback()).unwrap();
        assert!(loopback.interface.name.starts_with("lo") && !loopback.interface.is_down);
        assert_eq!(loopback.interface.bridge, None);
    }
}
