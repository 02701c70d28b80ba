//! Datagram sockets: one that tells and sets the TOS byte, differentiated services (RFC 2474) and congestion (RFC 3168);
//! and what one does not hear.

use std::net::SocketAddr;

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
    fn what_does_not_fit_is_dropped() {
        let mut there = MarkedSocket::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
        there.send(&[7; 65], there.address().unwrap(), 0).unwrap();
        wait(&mut [PollFd::new(&there, PollFlags::IN)], None).unwrap();
        assert_eq!(there.receive(&mut [0; 64]), None);
    }
}
