//! The TOS byte as control data beside each datagram: ip(7), ipv6(7).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use socket2::{Domain, Protocol, Socket, Type};

use crate::datagram::Received;

#[derive(Debug)]
pub struct MarkedSocket {
    socket: UdpSocket,
    is_ipv6: bool,
    control: Vec<u8>,
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
            socket.set_recv_tclass_v6(true)?;
        } else {
            socket.set_recv_tos_v4(true)?;
        }
        socket.bind(&address.into())?;
        let control = cmsg_space!(i32, i32);
        Ok(Self { socket: socket.into(), is_ipv6: address.is_ipv6(), control })
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
        let traffic_class = i32::from(tos);
        let mark = if self.is_ipv6 {
            ControlMessage::Ipv6TClass(&traffic_class)
        } else {
            ControlMessage::Ipv4Tos(&tos)
        };
        let parts = [IoSlice::new(datagram)];
        sendmsg(
            self.socket.as_raw_fd(),
            &parts,
            &[mark],
            MsgFlags::empty(),
            Some(&SockaddrStorage::from(to)),
        )?;
        Ok(())
    }

    /// `None`: nothing is there, or an error of the past was.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut self.control),
            MsgFlags::empty(),
        );
        let message = message.ok().filter(|message| !message.flags.contains(MsgFlags::MSG_TRUNC))?;
        let from = address_of(message.address.as_ref()?)?;
        let tos = message.cmsgs().ok().into_iter().flatten().find_map(tos).unwrap_or(0);
        Some(Received { length: message.bytes, from, tos })
    }
}

impl AsFd for MarkedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}

fn tos(message: ControlMessageOwned) -> Option<u8> {
    match message {
        ControlMessageOwned::Ipv4Tos(tos) => Some(tos),
        ControlMessageOwned::Ipv6TClass(class) => u8::try_from(class).ok(),
        _ => None,
    }
}
