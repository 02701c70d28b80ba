//! Datagram sockets: one that tells and sets the TOS byte, differentiated services (RFC 2474) and congestion (RFC 3168);
//! and what one does not hear.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;

#[cfg(target_os = "linux")]
pub use crate::linux::source_filter::hear_only_notifications_of;
pub use crate::own::marked_socket::MarkedSocket;
#[cfg(not(target_os = "linux"))]
pub use crate::portable::source_filter::hear_only_notifications_of;

/// What came in; the bytes are in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub length: usize,
    pub from: SocketAddr,
    /// In IPv6 the traffic class. 0 where the system does not tell.
    pub tos: u8,
}

impl MarkedSocket {
    /// As [`send`](Self::send), but it goes no farther than `hops` routers: time to live in IPv4 (RFC 791), hop limit in IPv6
    /// (RFC 8200).
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send); or the system knows no such limit.
    pub fn send_no_farther(&self, datagram: &[u8], to: SocketAddr, hops: u32) -> io::Result<()> {
        let socket = SockRef::from(self);
        let limit = |hops| match to {
            SocketAddr::V4(_) => socket.set_ttl_v4(hops),
            SocketAddr::V6(_) => socket.set_unicast_hops_v6(hops),
        };
        let usual = if to.is_ipv4() { socket.ttl_v4()? } else { socket.unicast_hops_v6()? };
        limit(hops)?;
        let sent = self.send(datagram, to, 0);
        limit(usual)?;
        sent
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use rustix::event::{PollFd, PollFlags};

    use super::*;
    use crate::wait::wait;

    const TELLS_MARKS: bool = cfg!(all(target_os = "linux", not(feature = "portable")));

    fn exchanged(there: &mut MarkedSocket, here: &MarkedSocket, tos: u8) -> (Received, Vec<u8>) {
        here.send(b"datagram", there.address().unwrap(), tos).unwrap();
        wait(&mut [PollFd::new(there, PollFlags::IN)], None).unwrap();
        let mut buffer = [0; 64];
        let received = there.receive(&mut buffer).unwrap();
        assert_eq!(received.from, here.address().unwrap());
        (received, buffer[..received.length].to_vec())
    }

    fn arrives_with_every_mark(address: IpAddr) {
        let mut there = MarkedSocket::bind(address).unwrap();
        let here = MarkedSocket::bind(address).unwrap();
        for tos in [0, 0x02, 0x03, 0x92, 0xff, 0] {
            let (received, datagram) = exchanged(&mut there, &here, tos);
            let told = if TELLS_MARKS { tos } else { 0 };
            assert_eq!((received.tos, datagram.as_slice()), (told, b"datagram".as_slice()));
        }
    }

    #[test]
    fn every_tos_byte_arrives_in_ipv4() {
        arrives_with_every_mark(Ipv4Addr::LOCALHOST.into());
    }

    #[test]
    fn every_traffic_class_arrives_in_ipv6() {
        arrives_with_every_mark(Ipv6Addr::LOCALHOST.into());
    }

    #[test]
    fn only_what_is_to_go_no_farther_has_another_limit() {
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let (mut there, here) =
                (MarkedSocket::bind(address).unwrap(), MarkedSocket::bind(address).unwrap());
            let limits = || {
                let socket = SockRef::from(&here);
                if address.is_ipv4() { socket.ttl_v4().unwrap() } else { socket.unicast_hops_v6().unwrap() }
            };
            let before = limits();
            assert_ne!(before, 2);
            here.send_no_farther(b"datagram", there.address().unwrap(), 2).unwrap();
            assert_eq!(limits(), before);
            here.send_no_farther(&[7; 70_000], there.address().unwrap(), 2).unwrap_err();
            assert_eq!(limits(), before);
            wait(&mut [PollFd::new(&there, PollFlags::IN)], None).unwrap();
            assert_eq!(there.receive(&mut [0; 64]).unwrap().length, 8);
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped() {
        let mut there = MarkedSocket::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
        there.send(&[7; 65], there.address().unwrap(), 0).unwrap();
        wait(&mut [PollFd::new(&there, PollFlags::IN)], None).unwrap();
        assert_eq!(there.receive(&mut [0; 64]), None);
    }
}
