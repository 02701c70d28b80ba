//! The paths: each open socket with each candidate of its family.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::candidate::{Candidate, Rank};
use crate::event::{PathId, SocketId, Transmit};
use crate::silence::AnswerTime;

/// A path that the server has been heard over is a flow that the NATs on its way know. This many are kept, those that
/// were heard last: after a move there and back the former one, by whichever kind of candidate.
pub const MAX_FLOWS: usize = 4;

#[derive(Debug, Clone, Copy)]
pub struct Path {
    pub id: PathId,
    pub socket: SocketId,
    pub candidate: Candidate,
    pub(crate) answer_time: AnswerTime,
    /// When the server was last heard over it.
    pub(crate) heard: Option<Instant>,
    /// The kernel did not take the last datagram.
    pub(crate) refused: bool,
}

impl Path {
    #[must_use]
    pub fn rank(&self) -> Rank {
        self.candidate.rank()
    }

    pub(crate) fn transmit(&self) -> Transmit {
        Transmit { path: self.id, socket: self.socket, remote: self.candidate.address }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Paths {
    by_id: BTreeMap<PathId, Path>,
    next: u32,
}

impl Paths {
    pub(crate) fn add(&mut self, socket: SocketId, candidate: Candidate) -> PathId {
        let id = PathId(self.next);
        self.next += 1;
        let answer_time = AnswerTime::default();
        self.by_id.insert(id, Path { id, socket, candidate, answer_time, heard: None, refused: false });
        id
    }

    pub(crate) fn find(&self, id: PathId) -> Option<&Path> {
        self.by_id.get(&id)
    }

    pub(crate) fn find_mut(&mut self, id: PathId) -> Option<&mut Path> {
        self.by_id.get_mut(&id)
    }

    /// The server has answered over it.
    pub(crate) fn hear(&mut self, id: PathId, now: Instant) {
        if let Some(path) = self.by_id.get_mut(&id) {
            path.heard = Some(now);
        }
    }

    pub(crate) fn refuse(&mut self, id: PathId) {
        if let Some(path) = self.by_id.get_mut(&id) {
            path.refused = true;
        }
    }

    pub(crate) fn try_again(&mut self, id: PathId) {
        if let Some(path) = self.by_id.get_mut(&id) {
            path.refused = false;
        }
    }

    pub(crate) fn between(&self, socket: SocketId, remote: SocketAddr) -> Option<&Path> {
        self.by_id.values().find(|path| path.socket == socket && path.candidate.address == remote)
    }

    pub(crate) fn improve(&mut self, candidate: Candidate) {
        let known = self.by_id.values_mut().filter(|path| path.candidate.address == candidate.address);
        known.for_each(|path| path.candidate = candidate);
    }

    pub(crate) fn remove_where(&mut self, gone: impl Fn(&Path) -> bool) {
        self.by_id.retain(|_, path| !gone(path));
    }

    /// Those of the [`MAX_FLOWS`] that were heard last.
    pub(crate) fn flows(&self) -> Vec<Path> {
        let mut flows: Vec<_> = self.by_id.values().filter(|path| path.heard.is_some()).copied().collect();
        flows.sort_by_key(|path| Reverse(path.heard));
        flows.truncate(MAX_FLOWS);
        flows
    }

    /// Whether the kernel takes datagrams by that socket, as far as was tried.
    pub(crate) fn takes(&self, socket: SocketId) -> bool {
        self.by_id.values().any(|path| path.socket == socket && !path.refused)
    }

    /// Best first; the newest first among equals.
    pub(crate) fn ranked(&self, wanted: impl Fn(&Path) -> bool) -> Vec<Path> {
        let mut paths: Vec<_> = self.by_id.values().filter(|path| wanted(path)).copied().collect();
        paths.sort_by_key(|path| (path.rank(), Reverse(path.id)));
        paths
    }
}
