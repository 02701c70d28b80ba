//! The TOS byte as an option of the socket, set where the next datagram's is another; that of what comes in is not told.

use std::cell::Cell;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::datagram::Received;

#[derive(Debug)]
pub struct MarkedSocket {
    socket: UdpSocket,
    is_ipv6: bool,
    tos: Cell<u8>,
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
        socket.bind(&address.into())?;
        Ok(Self { socket: socket.into(), is_ipv6: address.is_ipv6(), tos: Cell::new(0) })
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

    /// `None`: nothing is there, or an error of the past was.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let mut parts = [IoSliceMut::new(buffer)];
        let mut beside = RecvAncillaryBuffer::default();
        let message = recvmsg(&self.socket, &mut parts, &mut beside, RecvFlags::empty()).ok()?;
        let from = message.address.filter(|_| !message.flags.contains(ReturnFlags::TRUNC))?;
        Some(Received { length: message.bytes, from: from.try_into().ok()?, tos: 0 })
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
    use super::*;

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
