//! The TOS byte of what comes in is not told.

use std::io::{self, IoSliceMut};
use std::net::UdpSocket;

use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};
use socket2::Socket;

use crate::datagram::Received;

#[derive(Debug)]
pub(crate) struct MarkedReceiver;

impl MarkedReceiver {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
    pub(crate) fn of(_: &Socket, _: bool) -> io::Result<Self> {
        Ok(Self)
    }

    /// `None`: nothing is there, or an error of the past was.
    #[expect(clippy::unused_self, reason = "elsewhere it has a buffer")]
    pub(crate) fn receive(&mut self, socket: &UdpSocket, buffer: &mut [u8]) -> Option<Received> {
        let mut parts = [IoSliceMut::new(buffer)];
        let mut beside = RecvAncillaryBuffer::default();
        let message = recvmsg(socket, &mut parts, &mut beside, RecvFlags::empty()).ok()?;
        let from = message.address.filter(|_| !message.flags.contains(ReturnFlags::TRUNC))?;
        Some(Received { length: message.bytes, from: from.try_into().ok()?, tos: 0 })
    }
}
