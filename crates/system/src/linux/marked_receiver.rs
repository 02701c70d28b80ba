//! The TOS byte of what comes in, as control data beside each datagram: ip(7), ipv6(7).

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use socket2::Socket;

use crate::datagram::Received;

#[derive(Debug)]
pub(crate) struct MarkedReceiver {
    control: Vec<u8>,
}

impl MarkedReceiver {
    /// # Errors
    ///
    /// The kernel does not tell marks.
    pub(crate) fn of(socket: &Socket, is_ipv6: bool) -> io::Result<Self> {
        if is_ipv6 {
            socket.set_recv_tclass_v6(true)?;
        } else {
            socket.set_recv_tos_v4(true)?;
        }
        Ok(Self { control: cmsg_space!(i32, i32) })
    }

    /// `None`: nothing is there, or an error of the past was.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, buffer: &mut [u8]) -> Option<Received> {
        let mut parts = [IoSliceMut::new(buffer)];
        let (descriptor, control) = (socket.as_raw_fd(), Some(self.control.as_mut_slice()));
        let message = recvmsg::<SockaddrStorage>(descriptor, &mut parts, control, MsgFlags::empty());
        let message = message.ok().filter(|message| !message.flags.contains(MsgFlags::MSG_TRUNC))?;
        let from = address_of(message.address.as_ref()?)?;
        let tos = message.cmsgs().ok().into_iter().flatten().find_map(tos).unwrap_or(0);
        Some(Received { length: message.bytes, from, tos })
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
