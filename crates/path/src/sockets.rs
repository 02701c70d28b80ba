//! Our sockets: which are wanted, which are in use, which are old.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::candidate::{Binding, Family};
use crate::event::SocketId;

/// One a family, and two networks at once.
pub const MAX_BINDINGS: usize = 4;

/// For each binding the newest, and those before it, which the server may still answer to: in a silence, of both families,
/// those of the last ten seconds. (Some are kept for their flows: [`MAX_FLOWS`](crate::MAX_FLOWS).)
pub const MAX_SOCKETS: usize = 4 * MAX_BINDINGS;

/// mosh's `MAX_OLD_SOCKET_AGE`: a late answer to an old socket is one of the server that has not heard the new one.
pub const SOCKET_LINGER: Duration = Duration::from_secs(60);

/// What RFC 4787 (REQ-5) recommends a NAT to remember a flow for, unused.
pub const FLOW_LINGER: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Of its binding the newest is in use.
    Any,
    /// Of a round of hole punching that is under way.
    Round,
    /// What is left of a round, or of a relay that may be dead.
    Hole,
    /// The relay's, which stands for us there.
    Relay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Socket {
    purpose: Purpose,
    binding: Binding,
    open: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Sockets {
    bindings: Vec<Binding>,
    by_id: BTreeMap<SocketId, Socket>,
    next: u32,
}

impl Sockets {
    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Returns those that have no socket yet.
    pub(crate) fn bind(&mut self, bindings: &[Binding]) -> Vec<Binding> {
        self.bindings = bindings.iter().copied().take(MAX_BINDINGS).collect();
        self.bindings.sort_unstable();
        self.bindings.dedup();
        let fits = |socket: &Socket, binding| socket.purpose == Purpose::Any && socket.binding == binding;
        let has_socket = |binding: &Binding| self.by_id.values().any(|socket| fits(socket, *binding));
        self.bindings.iter().copied().filter(|binding| !has_socket(binding)).collect()
    }

    pub(crate) fn add(&mut self, purpose: Purpose, binding: Binding) -> SocketId {
        let id = SocketId(self.next);
        self.next += 1;
        self.by_id.insert(id, Socket { purpose, binding, open: false });
        id
    }

    /// Returns its binding, unless it was closed or opened before.
    pub(crate) fn opened(&mut self, id: SocketId) -> Option<Binding> {
        let socket = self.by_id.get_mut(&id).filter(|socket| !socket.open)?;
        socket.open = true;
        Some(socket.binding)
    }

    pub(crate) fn remove(&mut self, id: SocketId) {
        self.by_id.remove(&id);
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = (SocketId, Binding)> {
        self.by_id.iter().filter(|(_, socket)| socket.open).map(|(&id, socket)| (id, socket.binding))
    }

    /// Whether it is the newest open one of a binding that is still there, of a round that is under way, or the relay's.
    pub(crate) fn is_current(&self, id: SocketId) -> bool {
        self.is_for(Purpose::Round, id)
            || self.is_for(Purpose::Relay, id)
            || self.bindings.iter().any(|&binding| self.newest(binding) == Some(id))
    }

    pub(crate) fn is_for(&self, purpose: Purpose, id: SocketId) -> bool {
        self.by_id.get(&id).is_some_and(|socket| socket.purpose == purpose)
    }

    pub(crate) fn family(&self, id: SocketId) -> Option<Family> {
        self.by_id.get(&id).map(|socket| socket.binding.family)
    }

    /// What it was opened for is over.
    pub(crate) fn keep_hole(&mut self, id: SocketId) {
        self.by_id.entry(id).and_modify(|socket| socket.purpose = Purpose::Hole);
    }

    /// Neither in use nor to come.
    pub(crate) fn idle(&self, kept: &[SocketId]) -> Vec<SocketId> {
        let idle = |id: SocketId| !kept.contains(&id) && !self.is_current(id);
        self.open().map(|(id, _)| id).filter(|&id| idle(id)).collect()
    }

    /// What must go before another is opened: an idle one, else the oldest.
    pub(crate) fn surplus(&self, kept: &[SocketId]) -> Option<SocketId> {
        if self.by_id.len() < MAX_SOCKETS {
            return None;
        }
        let idle = self.idle(kept).into_iter().next();
        idle.or_else(|| self.by_id.keys().copied().find(|id| !kept.contains(id)))
    }

    pub(crate) fn newest(&self, binding: Binding) -> Option<SocketId> {
        let fits = |&(id, bound): &(SocketId, Binding)| bound == binding && self.is_for(Purpose::Any, id);
        self.open().filter(fits).map(|(id, _)| id).last()
    }
}
