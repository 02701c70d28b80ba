//! Where mosh-client finds us on this machine.
//!
//! It makes its datagrams as long, and marks them, by the family of its socket. Where that may be, it is given an IPv4
//! address in the form that IPv6 sockets take: over such a socket it leaves room for IPv6's longer header, yet marks as
//! in IPv4 (measured with mosh 1.4.0: 1216 bytes at most, ECT(0)). Where IPv6 sockets are for IPv6 alone
//! (`net.ipv6.bindv6only`), `::1` leaves the room, but it marks nothing there, nor reads what routers marked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};
use net::own_addresses::is_dual_stack_unasked;
use net::{MarkedSocket, Received};
use rustix::event::{PollFd, PollFlags};

#[derive(Debug)]
pub(crate) struct Front {
    socket: MarkedSocket,
    told: SocketAddr,
}

impl Front {
    pub(crate) fn open() -> Result<Self> {
        let has_ipv6 = || MarkedSocket::bind(Ipv6Addr::LOCALHOST.into()).is_ok();
        let (bound, told) = choose(is_dual_stack_unasked(), has_ipv6);
        let socket = MarkedSocket::bind(bound).context("a socket for mosh-client")?;
        let told = SocketAddr::new(told, socket.address()?.port());
        Ok(Self { socket, told })
    }

    /// What mosh-client is told.
    pub(crate) fn address(&self) -> SocketAddr {
        self.told
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        self.socket.receive(buffer)
    }

    pub(crate) fn send(&self, datagram: &[u8], client: SocketAddr, tos: u8) -> io::Result<()> {
        self.socket.send(datagram, client, tos)
    }

    pub(crate) fn descriptor(&self) -> PollFd<'_> {
        PollFd::new(&self.socket, PollFlags::IN)
    }
}

/// What we bind, and what mosh-client is told. A machine without IPv6 has no path that would need the room.
fn choose(dual_stack: bool, has_ipv6: impl FnOnce() -> bool) -> (IpAddr, IpAddr) {
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    match dual_stack {
        true => (v4.into(), v4.to_ipv6_mapped().into()),
        false if has_ipv6() => (v6.into(), v6.into()),
        false => (v4.into(), v4.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mosh_client_is_told_what_its_sockets_can_send_to() {
        let told = |dual_stack, has_ipv6: bool| {
            let (bound, told) = choose(dual_stack, || has_ipv6);
            format!("{bound} {told}")
        };
        assert_eq!(told(true, true), "127.0.0.1 ::ffff:127.0.0.1");
        assert_eq!(told(false, true), "::1 ::1");
        assert_eq!(told(false, false), "127.0.0.1 127.0.0.1");
    }
}
