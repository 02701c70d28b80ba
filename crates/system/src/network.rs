//! This host's addresses and gateways, and when they change.

use std::net::IpAddr;

#[cfg(target_os = "linux")]
pub use crate::linux::interface::interface;
#[cfg(not(target_os = "linux"))]
pub use crate::own::network::interface;
pub use crate::own::network::{Changes, addresses, gateways};

/// An address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Its index.
    pub interface: u32,
    pub address: IpAddr,
    pub prefix_length: u8,
    pub standing: Standing,
}

/// How a host uses an address (RFC 4862 §2, RFC 8981).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Also where the system does not tell.
    Stable,
    Temporary,
    /// Not to be used for what is new.
    Deprecated,
    /// It may be another host's.
    Tentative,
}

/// The next hop of a default route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// Also the scope of a link-local address.
    pub interface: u32,
    pub address: IpAddr,
}

/// A network interface, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    /// Nothing is connected to it, as far as it tells.
    pub is_down: bool,
    pub bridge: Option<Bridge>,
}

/// An interface that joins others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bridge {
    /// One of its ports is a network card, or stands on one, as a VLAN does.
    pub leads_to_hardware: bool,
}

/// What the user calls that interface.
#[must_use]
pub fn name_of(interface: u32) -> Option<String> {
    // Of one that is not there, nix tells no name rather than an error.
    let name = nix::net::if_::if_indextoname(interface).ok().filter(|name| !name.is_empty())?;
    Some(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_address_of_every_host() {
        let own = addresses().unwrap();
        let loopback = own.iter().find(|own| own.address == IpAddr::from([127, 0, 0, 1])).unwrap();
        assert_eq!((loopback.prefix_length, loopback.standing), (8, Standing::Stable));
        assert!(name_of(loopback.interface).unwrap().starts_with("lo"));
    }

    #[test]
    fn a_number_of_no_interface_has_no_name() {
        assert_eq!(name_of(u32::MAX), None);
    }
}
