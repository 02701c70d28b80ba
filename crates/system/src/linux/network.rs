//! This host's addresses, and that they or its routes have changed, by rtnetlink(7).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use super::NETLINK_ROUTE;
use super::netlink::{address, attributes, list, word};
pub use super::routes::gateways;
use crate::network::{Address, Standing};

/// linux/rtnetlink.h, linux/if_addr.h.
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const PEER_OR_OWN: u16 = 1;
const OWN: u16 = 2;
const FLAGS: u16 = 8;

/// `ifaddrmsg`: family, prefix length, flags, scope, interface.
const HEADER_BYTES: usize = 8;
const IPV4: u8 = 2;

/// `RTMGRP_*`: addresses and routes of both families. (Links speak through their addresses.)
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// A message is smaller than this; of a longer one the rest is not missed.
const MESSAGE_BYTES: usize = 8 * 1024;

/// A storm of changes must not keep the loop from its timers.
const MESSAGES_PER_TURN: usize = 256;

/// All of this host, as the kernel lists them.
///
/// # Errors
///
/// The kernel does not tell.
pub fn addresses() -> io::Result<Vec<Address>> {
    list(GET_ADDRESS, NEW_ADDRESS, |message| own_address(message).into_iter().collect())
}

/// On a link of two, IPv4 names the peer beside the own address.
fn own_address(message: &[u8]) -> Option<Address> {
    let (header, rest) = message.split_at_checked(HEADER_BYTES)?;
    let attribute = |kind| attributes(rest).find(|(it, _)| *it == kind).map(|(_, payload)| payload);
    let flags = attribute(FLAGS).and_then(|flags| word(flags, 0)).unwrap_or(header[2].into());
    Some(Address {
        interface: word(header, 4)?,
        address: attribute(OWN).or_else(|| attribute(PEER_OR_OWN)).and_then(address)?,
        prefix_length: header[1],
        standing: if header[0] == IPV4 { Standing::Stable } else { Standing::of(flags) },
    })
}

impl Standing {
    /// `IFA_F_*`, of which the first means another thing in IPv4.
    fn of(flags: u32) -> Self {
        const TEMPORARY: u32 = 0x01;
        const DUPLICATE: u32 = 0x08;
        const DEPRECATED: u32 = 0x20;
        const TENTATIVE: u32 = 0x40;
        match flags {
            _ if flags & (TENTATIVE | DUPLICATE) != 0 => Self::Tentative,
            _ if flags & DEPRECATED != 0 => Self::Deprecated,
            _ if flags & TEMPORARY != 0 => Self::Temporary,
            _ => Self::Stable,
        }
    }
}

/// Hears that an address or a route has changed; what they are now is to be read.
#[derive(Debug)]
pub struct Changes(OwnedFd);

impl Changes {
    /// # Errors
    ///
    /// The kernel gives no such socket.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, NETLINK_ROUTE)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Whether anything changed since the last call. An overrun says so, too.
    pub fn any(&mut self, _now: Instant) -> bool {
        let mut changed = false;
        let mut buffer = [0; MESSAGE_BYTES];
        for _ in 0..MESSAGES_PER_TURN {
            match recv(&self.0, &mut buffer, RecvFlags::DONTWAIT) {
                Ok(_) | Err(Errno::NOBUFS) => changed = true,
                Err(_) => break,
            }
        }
        changed
    }

    /// Can be read when something changed.
    pub fn descriptor(&self) -> Option<PollFd<'_>> {
        Some(PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN))
    }

    /// When to look, though nothing was heard.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::netlink::tests::attribute;
    use super::*;

    fn message(family: u8, flags: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let header = [&[family, 24, flags, 0][..], &7_u32.to_ne_bytes()].concat();
        [header, attributes.concat()].concat()
    }

    #[test]
    fn on_a_link_of_two_the_own_address_is_told() {
        let attributes = [attribute(PEER_OR_OWN, &[10, 8, 0, 1]), attribute(OWN, &[10, 8, 0, 2])];
        let expected = Address {
            interface: 7,
            address: [10, 8, 0, 2].into(),
            prefix_length: 24,
            standing: Standing::Stable,
        };
        assert_eq!(own_address(&message(IPV4, 0x81, &attributes)), Some(expected));
        assert_eq!(own_address(&message(IPV4, 0x80, &[])), None);
        assert_eq!(own_address(&[0; HEADER_BYTES - 1]), None);
    }

    #[test]
    fn the_kernel_tells_how_an_address_stands() {
        let address = attribute(PEER_OR_OWN, &[0x20; 16]);
        for (flags, expected) in [
            (0x80_u32, Standing::Stable),
            (0x01, Standing::Temporary),
            (0x21, Standing::Deprecated),
            (0xc0, Standing::Tentative),
            (0x08, Standing::Tentative),
            (0x301, Standing::Temporary),
        ] {
            let in_full = attribute(FLAGS, &flags.to_ne_bytes());
            let own = own_address(&message(10, 0, &[address.clone(), in_full])).unwrap();
            assert_eq!(own.standing, expected, "{flags:#x}");
        }
        assert_eq!(own_address(&message(10, 0x40, &[address])).unwrap().standing, Standing::Tentative);
    }

    #[test]
    fn nothing_is_heard_where_nothing_changes() {
        let now = crate::clock::now();
        let mut changes = Changes::open().unwrap();
        changes.any(now);
        assert!(!changes.any(now));
    }
}
