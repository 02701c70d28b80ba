//! The sockets of a path agent.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use path::{Binding, Family, SocketId, Transmit};
use rustix::event::{PollFd, PollFlags};

use crate::marked_socket::{MarkedSocket, Received};

#[derive(Debug, Default)]
pub struct PathSockets(BTreeMap<SocketId, MarkedSocket>);

/// Why a datagram did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The kernel knows no way there.
    Unreachable,
    /// As if lost on the way.
    Dropped,
}

impl PathSockets {
    /// # Errors
    ///
    /// The kernel does not offer this family or address.
    pub fn open(&mut self, id: SocketId, binding: Binding) -> io::Result<()> {
        let socket = match binding.address {
            Some(address) => MarkedSocket::bind(address)?,
            None => MarkedSocket::bind_any(binding.family == Family::V6)?,
        };
        self.0.insert(id, socket);
        Ok(())
    }

    pub fn close(&mut self, id: SocketId) {
        self.0.remove(&id);
    }

    /// # Errors
    ///
    /// It did not leave this host.
    pub fn send(&self, transmit: &Transmit, datagram: &[u8], tos: u8) -> Result<(), NotSent> {
        let socket = self.0.get(&transmit.socket).ok_or(NotSent::Dropped)?;
        socket.send(datagram, transmit.remote, tos).map_err(|error| {
            tracing::debug!(remote = %transmit.remote, %error, "not sent");
            NotSent::of(&error)
        })
    }

    /// One datagram of those that have arrived by any socket.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<(SocketId, Received)> {
        self.0.iter_mut().find_map(|(id, socket)| Some((*id, socket.receive(buffer)?)))
    }

    pub fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.0.values().map(|socket| PollFd::new(socket, PollFlags::IN))
    }
}

impl NotSent {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
            | ErrorKind::PermissionDenied => Self::Unreachable,
            _ => Self::Dropped,
        }
    }
}
