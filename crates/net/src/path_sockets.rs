//! The sockets of a path agent.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::Bound;

use path::{Binding, Family, SocketId};
use rustix::event::{PollFd, PollFlags};
use system::datagram::{MarkedSocket, Received};

/// Those that one path agent has asked for and not closed.
#[derive(Debug, Default)]
pub struct PathSockets {
    by_id: BTreeMap<SocketId, PathSocket>,
    /// By which the newest datagram came.
    last: Option<SocketId>,
}

#[derive(Debug)]
struct PathSocket {
    socket: MarkedSocket,
    /// Nothing was there, nor is there reason to look again.
    is_empty: bool,
}

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
        self.by_id.insert(id, PathSocket { socket, is_empty: false });
        Ok(())
    }

    pub fn close(&mut self, id: SocketId) {
        self.by_id.remove(&id);
    }

    /// An answer may be there at once.
    ///
    /// # Errors
    ///
    /// It did not leave this host.
    pub fn send(
        &mut self,
        id: SocketId,
        remote: SocketAddr,
        datagram: &[u8],
        tos: u8,
    ) -> Result<(), NotSent> {
        let by = self.by_id.get_mut(&id).ok_or(NotSent::Dropped)?;
        by.is_empty = false;
        by.socket.send(datagram, remote, tos).map_err(|error| {
            tracing::debug!(%remote, %error, "not sent");
            NotSent::of(&error)
        })
    }

    /// As [`send`](Self::send), but it goes no farther than `hops` routers.
    ///
    /// # Errors
    ///
    /// It did not leave this host.
    pub fn send_no_farther(
        &self,
        id: SocketId,
        remote: SocketAddr,
        datagram: &[u8],
        hops: u32,
    ) -> io::Result<()> {
        let socket = self.by_id.get(&id).ok_or(ErrorKind::NotConnected)?;
        socket.socket.send_no_farther(datagram, remote, hops)
    }

    /// The port that the system has given it.
    #[must_use]
    pub fn port(&self, id: SocketId) -> Option<u16> {
        self.by_id.get(&id)?.socket.address().ok().map(|address| address.port())
    }

    /// Which of the [descriptors](Self::descriptors) are ready, in their order.
    pub fn look_again(&mut self, ready: impl IntoIterator<Item = bool>) {
        for (by, is_ready) in self.by_id.values_mut().zip(ready) {
            by.is_empty &= !is_ready;
        }
    }

    /// One datagram of those that have arrived, by each socket in turn: a flood at one of them does not hide the others. A
    /// socket at which nothing was is passed over until it is sent by, or [ready](Self::look_again).
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<(SocketId, Received)> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let received = self
            .receive_by((after, Bound::Unbounded), buffer)
            .or_else(|| self.receive_by((Bound::Unbounded, self.last.map(Bound::Included)?), buffer));
        self.last = received.map(|(id, _)| id).or(self.last);
        received
    }

    pub fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.by_id.values().map(|by| PollFd::new(&by.socket, PollFlags::IN))
    }

    fn receive_by(
        &mut self,
        ids: (Bound<SocketId>, Bound<SocketId>),
        buffer: &mut [u8],
    ) -> Option<(SocketId, Received)> {
        let mut sockets = self.by_id.range_mut(ids).filter(|(_, by)| !by.is_empty);
        sockets.find_map(|(id, by)| {
            let received = by.socket.receive(buffer);
            by.is_empty = received.is_none();
            Some((*id, received?))
        })
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

#[cfg(test)]
mod tests {
    use std::iter::from_fn;
    use std::net::{IpAddr, Ipv4Addr};

    use path::{Agent, Event};

    use super::*;
    use crate::clock::now;
    use crate::wait::wait;

    fn opened() -> (PathSockets, Vec<SocketId>) {
        let binding = |host| Binding { family: Family::V4, address: Some(IpAddr::from([127, 0, 0, host])) };
        let mut agent = Agent::new(1);
        agent.handle_network(&[1, 2, 3].map(binding), now());
        let mut sockets = PathSockets::default();
        let open = |event| match event {
            Event::Open { socket, binding } => sockets.open(socket, binding).map(|()| socket).ok(),
            _ => None,
        };
        let ids = from_fn(|| agent.poll_event()).filter_map(open).collect();
        (sockets, ids)
    }

    fn flood(sockets: &PathSockets, ids: &[SocketId]) {
        let sender = MarkedSocket::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
        for socket in ids.iter().map(|id| &sockets.by_id[id].socket) {
            for _ in 0..8 {
                sender.send(b"datagram", socket.address().unwrap(), 0).unwrap();
            }
            wait(&mut [PollFd::new(socket, PollFlags::IN)], None).unwrap();
        }
    }

    #[test]
    fn a_flood_at_one_socket_does_not_hide_the_others() {
        let (mut sockets, ids) = opened();
        flood(&sockets, &ids);
        let by: Vec<_> = (0..5).filter_map(|_| sockets.receive(&mut [0; 64])).map(|(id, _)| id).collect();
        assert_eq!(by, [ids[0], ids[1], ids[2], ids[0], ids[1]]);
    }

    #[test]
    fn where_nothing_was_is_looked_again_once_there_is_reason() {
        let (mut sockets, ids) = opened();
        let came = |sockets: &mut PathSockets| sockets.receive(&mut [0; 64]).map(|(id, _)| id);
        assert_eq!(came(&mut sockets), None);
        flood(&sockets, &ids[..2]);
        assert_eq!(came(&mut sockets), None, "nobody has said so");
        let own = sockets.by_id[&ids[1]].socket.address().unwrap();
        sockets.send(ids[1], own, b"datagram", 0).unwrap();
        assert_eq!(came(&mut sockets), Some(ids[1]));
        flood(&sockets, &ids[2..]);
        sockets.look_again([true, false, false]);
        let by: Vec<_> = (0..4).filter_map(|_| came(&mut sockets)).collect();
        assert_eq!(by, [ids[0], ids[1], ids[0], ids[1]]);
    }

    #[test]
    fn a_socket_alone_is_read_to_its_end() {
        let (mut sockets, ids) = opened();
        flood(&sockets, &ids[2..]);
        assert_eq!(from_fn(|| sockets.receive(&mut [0; 64])).count(), 8);
        sockets.close(ids[2]);
        assert!(sockets.receive(&mut [0; 64]).is_none());
    }
}
