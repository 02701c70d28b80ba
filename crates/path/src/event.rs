//! What comes out of an agent.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::candidate::{Binding, Family, Kind};

/// Never given twice by an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WayId(pub(crate) u32);

/// Never given twice by an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub(crate) u32);

/// By what a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    Udp {
        socket: SocketId,
        remote: SocketAddr,
    },
    /// The channel that the way stands for.
    Carried,
}

/// Send the newest datagram of mosh-client over this path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    pub way: WayId,
    pub route: Route,
}

/// What an authentic datagram of mosh-server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    pub sequence: u64,
    /// How long ago mosh-client sent what it answers, without the time that mosh-server held it. `None` if its
    /// `timestamp_reply` is 0xffff: since its last datagram, and within a second, mosh-server has not heard us. Then it says
    /// nothing about the way there.
    pub round_trip: Option<Duration>,
}

/// Whoever takes what comes afterwards for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primed {
    /// A firewall on this machine: with a TTL of 1, so that our own router drops it and keeps nothing.
    Machine,
    /// Our own router, too: with a TTL of 2, so that it dies behind it.
    Router,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// To be answered by [`Agent::handle_opened`](crate::Agent::handle_opened) or
    /// [`Agent::handle_open_failed`](crate::Agent::handle_open_failed). The port is any that is free.
    Open { socket: SocketId, binding: Binding },
    /// Its paths are gone already.
    Close { socket: SocketId },
    /// Have the relay give us an address of its own, of this family, which is a socket of ours like any other. To be answered
    /// by [`Agent::handle_opened`](crate::Agent::handle_opened) once the relay lets in what is [permitted](Self::Permit) by
    /// then, or by [`Agent::handle_open_failed`](crate::Agent::handle_open_failed), also later, when it is lost.
    Allocate { socket: SocketId, family: Family },
    /// Have the relay let in what comes to that socket from there, whatever the port, if a relay may be asked for that.
    Permit { socket: SocketId, peer: IpAddr },
    /// Have our own router map a port to this socket's, by IPv4. To be answered by
    /// [`Agent::handle_mapped`](crate::Agent::handle_mapped) or
    /// [`Agent::handle_not_mapped`](crate::Agent::handle_not_mapped). The mapping is to go with the socket.
    Map { socket: SocketId },
    /// Send something there from that socket, once, that makes the `primed` expect the host, and goes no farther.
    Prime { socket: SocketId, remote: SocketAddr, primed: Primed },
    /// Ask the host for openers to where these sockets of ours are seen, with a cookie that is new. To be answered by
    /// [`Agent::handle_punched`](crate::Agent::handle_punched) or
    /// [`Agent::handle_punch_refused`](crate::Agent::handle_punch_refused), and openers by
    /// [`Agent::handle_opener`](crate::Agent::handle_opener).
    Punch { round: u32, v6: Option<SocketId>, v4: Option<SocketId> },
    /// The server answers over this path now, which has an address unless it is carried.
    Moved { to: WayId, kind: Kind, address: Option<SocketAddr> },
    /// Send SIGWINCH to mosh-client, for a fresh datagram.
    Nudge,
    /// Nothing has been heard over any path for long: look the host up again, fetch a new offer. Repeated, ever more
    /// rarely, until there is a reply.
    Silent,
}

/// The events not yet taken. An owner that takes none makes it no longer than its sockets are many, and what one round asks for.
#[derive(Debug, Default)]
pub(crate) struct Events(VecDeque<Event>);

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        match event {
            Event::Nudge | Event::Silent if self.0.contains(&event) => return,
            Event::Moved { .. } => self.0.retain(|queued| !matches!(queued, Event::Moved { .. })),
            Event::Close { socket } if self.forget_open(socket) => return,
            Event::Nudge
            | Event::Silent
            | Event::Open { .. }
            | Event::Close { .. }
            | Event::Allocate { .. }
            | Event::Permit { .. }
            | Event::Map { .. }
            | Event::Prime { .. }
            | Event::Punch { .. } => {}
        }
        self.0.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    /// It is over.
    pub(crate) fn forget_round(&mut self, sockets: &[SocketId]) {
        self.0.retain(|queued| match queued {
            Event::Map { .. } | Event::Prime { .. } => false,
            Event::Punch { v6, v4, .. } => !v6.iter().chain(v4).any(|socket| sockets.contains(socket)),
            _ => true,
        });
    }

    fn forget_open(&mut self, closed: SocketId) -> bool {
        self.0.retain(|queued| !matches!(queued, Event::Permit { socket, .. } if *socket == closed));
        let before = self.0.len();
        self.0.retain(|queued| match queued {
            Event::Open { socket, .. } | Event::Allocate { socket, .. } => *socket != closed,
            _ => true,
        });
        self.0.len() < before
    }
}
