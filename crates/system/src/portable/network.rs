//! This host's addresses by getifaddrs(3); that they have changed is seen by looking.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockaddrStorage;
use rustix::event::PollFd;

use crate::clock;
#[cfg(target_os = "linux")]
pub use crate::linux::routes::gateways;
use crate::network::{Address, Standing};
#[cfg(not(target_os = "linux"))]
use crate::network::{Gateway, Interface, name_of};
use crate::source::source_toward;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Any address out there, of each family: where the kernel would send from tells of its routes.
const INTERNET: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1))];

/// All of this host.
///
/// # Errors
///
/// The system does not tell.
pub fn addresses() -> io::Result<Vec<Address>> {
    Ok(getifaddrs()?.filter_map(|own| own_address(&own)).collect())
}

/// What the system tells of routes has another form on each: none is told, and nobody is taken for a gateway.
///
/// # Errors
///
/// None here.
#[cfg(not(target_os = "linux"))]
pub fn gateways() -> io::Result<Vec<Gateway>> {
    Ok(Vec::new())
}

/// What is known of that interface: its name.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn interface(index: u32) -> Interface {
    Interface { index, name: name_of(index).unwrap_or_default(), is_down: false, bridge: None }
}

fn own_address(own: &InterfaceAddress) -> Option<Address> {
    Some(Address {
        interface: if_nametoindex(own.interface_name.as_str()).ok()?,
        address: address_of(own.address.as_ref()?)?,
        prefix_length: own.netmask.as_ref().and_then(address_of).map_or(0, ones),
        standing: Standing::Stable,
    })
}

fn address_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| without_scope(address.ip()).into()))
}

/// BSDs write the scope of a link-local address into it.
fn without_scope(address: Ipv6Addr) -> Ipv6Addr {
    let mut segments = address.segments();
    if address.is_unicast_link_local() {
        segments[1] = 0;
    }
    segments.into()
}

fn ones(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    u8::try_from(ones).expect("128 at most")
}

/// Sees that an address or where datagrams leave has changed; what they are now is to be read.
#[derive(Debug)]
pub struct Changes {
    seen: Seen,
    next: Instant,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    addresses: Vec<Address>,
    sources: [Option<IpAddr>; 2],
}

impl Changes {
    /// # Errors
    ///
    /// None here.
    pub fn open() -> io::Result<Self> {
        Ok(Self { seen: Seen::now(), next: clock::now() + INTERVAL })
    }

    /// Whether anything was seen to change since the last call.
    pub fn any(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + INTERVAL;
        let before = std::mem::replace(&mut self.seen, Seen::now());
        self.seen != before
    }

    /// Nothing tells.
    pub fn descriptor(&self) -> Option<PollFd<'_>> {
        None
    }

    /// When to look, though nothing was heard.
    pub fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }
}

impl Seen {
    fn now() -> Self {
        Self { addresses: addresses().unwrap_or_default(), sources: INTERNET.map(source_toward) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looks_once_a_second_and_sees_what_is_not_as_before() {
        let mut changes = Changes::open().unwrap();
        let now = changes.next;
        assert!(!changes.any(now));
        changes.seen.addresses.pop();
        assert!(!changes.any(now + INTERVAL / 2));
        assert_eq!(changes.poll_timeout(), Some(now + INTERVAL));
        assert!(changes.any(now + INTERVAL));
        assert!(!changes.any(now + INTERVAL * 2));
        changes.seen.sources = INTERNET.map(Some);
        assert!(changes.any(now + INTERVAL * 3));
    }

    #[test]
    fn a_mask_is_a_length() {
        for (mask, length) in [("255.255.255.0", 24), ("0.0.0.0", 0), ("ffff:ffff:ffff:ffff::", 64)] {
            assert_eq!(ones(mask.parse().unwrap()), length);
        }
    }

    #[test]
    fn a_scope_is_no_part_of_the_address() {
        let without = |text: &str| without_scope(text.parse().unwrap()).to_string();
        assert_eq!(without("fe80:4::1"), "fe80::1");
        assert_eq!(without("2a00:7::1"), "2a00:7::1");
    }
}
