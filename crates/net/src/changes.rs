//! Hears that this host's addresses or routes have changed; what they are now is [`interfaces`](crate::interfaces)'
//! to read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// One change comes as several: an address goes, another comes, routes follow.
pub const SETTLE: Duration = Duration::from_millis(250);

/// As rustix writes it.
const NETLINK_ROUTE: Option<Protocol> = None;

/// rtnetlink(7), `RTMGRP_*`: addresses and routes of both families. (Links speak through their addresses.)
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// A message is smaller than this; of a longer one the rest is not missed.
const MESSAGE_BYTES: usize = 8 * 1024;

/// A storm of changes must not keep the loop from its timers.
const MESSAGES_PER_TURN: usize = 256;

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
    pub fn any(&self) -> bool {
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
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_heard_where_nothing_changes() {
        let changes = Changes::open().unwrap();
        changes.any();
        assert!(!changes.any());
    }
}
