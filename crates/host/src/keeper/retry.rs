//! When gateways are looked for again that gave nothing: a router may begin to map, and this host may come to another.

use std::time::{Duration, Instant};

use net::changes::Settled;
use rustix::event::PollFd;

use crate::session::Listens;

/// A setting of a router is seldom changed, and each question is a few packets.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(super) struct Retry {
    pub(super) listens: Listens,
    changes: Settled,
    at: Option<Instant>,
}

impl Retry {
    pub(super) fn new(listens: Listens) -> Self {
        Self { listens, changes: Settled::open(), at: None }
    }

    /// One has given nothing.
    pub(super) fn later(&mut self, now: Instant) {
        self.at = self.at.or(Some(now + INTERVAL));
    }

    pub(super) fn descriptor(&self) -> Option<PollFd<'_>> {
        self.changes.descriptor()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.changes.poll_timeout().into_iter().chain(self.at).min()
    }

    /// Whether to look now.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let has_changed = self.changes.any(now);
        self.is_late(now) || has_changed
    }

    fn is_late(&mut self, now: Instant) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use net::clock;
    use wire::Bind;

    use super::*;

    #[test]
    fn what_gave_nothing_is_asked_every_ten_minutes() {
        let now = clock::now();
        let listens = Listens { bind: Bind::Any, ssh: None };
        let mut retry = Retry::new(listens);
        assert_eq!(retry.at, None, "nobody wakes where everything is had");
        retry.later(now);
        retry.later(now + INTERVAL / 2);
        assert!(!retry.is_late(now + INTERVAL - Duration::from_millis(1)));
        assert!(retry.is_late(now + INTERVAL));
        assert!(!retry.is_late(now + INTERVAL));
    }
}
