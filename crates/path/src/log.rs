//! Why the session went which way: for `-v`, and for the line at its end.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use crate::candidate::{Candidate, Kind};
use crate::event::WayId;
use crate::policy::Dependence;

/// A day of changes between two networks; the first move is kept besides.
pub const MAX_LOG: usize = 64;

/// What let the server move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The first answer of all.
    First,
    NetworkChanged,
    /// The clock jumped: the machine slept.
    Woke,
    Silence,
    /// The path's candidate was withdrawn, its socket closed, or its channel ended.
    Withdrawn,
    /// A copy for a better-ranked path overtook the followed one.
    Probe,
    /// None of ours: a late answer, or a copy that took its time.
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub at: Instant,
    pub way: WayId,
    pub kind: Kind,
    /// `None` for one that is carried.
    pub address: Option<SocketAddr>,
    pub reason: Reason,
}

#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<Entry>);

impl Log {
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.0.len() == MAX_LOG {
            self.0.remove(1);
        }
        self.0.push_back(entry);
    }

    /// A known address turned out to be of a better kind. A hole was one all the same.
    pub(crate) fn improve(&mut self, candidate: Candidate) {
        let is_lifted = |entry: &&mut Entry| {
            entry.address == Some(candidate.address) && entry.kind.policy().depends_on == Dependence::Nothing
        };
        self.0.iter_mut().filter(is_lifted).for_each(|entry| entry.kind = candidate.kind);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }
}
