//! The paths: each open socket with each candidate of its family.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::candidate::{Candidate, Rank};
use crate::event::{PathId, SocketId, Transmit};
use crate::silence::AnswerTime;

#[derive(Debug, Clone, Copy)]
pub struct Path {
    pub id: PathId,
    pub socket: SocketId,
    pub candidate: Candidate,
    pub(crate) answer_time: AnswerTime,
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
        self.by_id.insert(id, Path { id, socket, candidate, answer_time: AnswerTime::default() });
        id
    }

    pub(crate) fn find(&self, id: PathId) -> Option<&Path> {
        self.by_id.get(&id)
    }

    pub(crate) fn find_mut(&mut self, id: PathId) -> Option<&mut Path> {
        self.by_id.get_mut(&id)
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

    /// Best first; the newest first among equals.
    pub(crate) fn ranked(&self, wanted: impl Fn(&Path) -> bool) -> Vec<Path> {
        let mut paths: Vec<_> = self.by_id.values().filter(|path| wanted(path)).copied().collect();
        paths.sort_by_key(|path| (path.rank(), Reverse(path.id)));
        paths
    }
}
