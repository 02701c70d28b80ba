//! The TOS byte of what is sent is an option of the socket, set where the next datagram's is another.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::datagram::Received;
use crate::own::marked_receiver::MarkedReceiver;

#[derive(Debug)]
pub struct MarkedSocket {
    socket: UdpSocket,
    is_ipv6: bool,
    tos: Cell<u8>,
    receiver: MarkedReceiver,
}

impl MarkedSocket {
    /// Where the kernel routes it, by any free port.
    ///
    /// # Errors
    ///
    /// The kernel does not offer this family or address.
    pub fn bind(address: IpAddr) -> io::Result<Self> {
        let address = SocketAddr::new(address, 0);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        let receiver = MarkedReceiver::of(&socket, address.is_ipv6())?;
        socket.bind(&address.into())?;
        Ok(Self { socket: socket.into(), is_ipv6: address.is_ipv6(), tos: Cell::new(0), receiver })
    }

    /// # Errors
    ///
    /// See [`bind`](Self::bind).
    pub fn bind_any(ipv6: bool) -> io::Result<Self> {
        Self::bind(if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() })
    }

    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// # Errors
    ///
    /// There is no way there, or no room at the moment.
    pub fn send(&self, datagram: &[u8], to: SocketAddr, tos: u8) -> io::Result<()> {
        if self.tos.replace(tos) != tos {
            self.mark(tos);
        }
        self.socket.send_to(datagram, to).map(drop)
    }

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

    /// `None`: nothing is there, or an error of the past was.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        self.receiver.receive(&self.socket, buffer)
    }

    /// Without its mark a datagram still arrives.
    fn mark(&self, tos: u8) {
        let socket = SockRef::from(&self.socket);
        let marked =
            if self.is_ipv6 { socket.set_tclass_v6(tos.into()) } else { socket.set_tos_v4(tos.into()) };
        if let Err(error) = marked {
            tracing::debug!(%error, "not marked");
        }
    }
}

impl AsFd for MarkedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_datagrams_mark_is_that_of_the_socket() {
        let sockets = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(MarkedSocket::bind);
        for socket in sockets.map(Result::unwrap) {
            let option = |socket: &MarkedSocket| {
                let option = SockRef::from(&socket.socket);
                if socket.is_ipv6 { option.tclass_v6().unwrap() } else { option.tos_v4().unwrap() }
            };
            for tos in [0x92, 0x92, 0] {
                socket.send(b"datagram", socket.address().unwrap(), tos).unwrap();
                assert_eq!(option(&socket), u32::from(tos));
            }
        }
    }
}
