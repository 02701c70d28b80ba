//! When gateways are looked for again that gave nothing: a router may begin to map, and this host may come to another.

use std::time::{Duration, Instant};

use net::changes::{Changes, SETTLE};
use rustix::event::PollFd;

use crate::session::Listens;

/// A setting of a router is seldom changed, and each question is a few packets.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(super) struct Retry {
    pub(super) listens: Listens,
    changes: Option<Changes>,
    settles: Option<Instant>,
    at: Option<Instant>,
}

impl Retry {
    pub(super) fn new(listens: Listens) -> Self {
        let changes = Changes::open().inspect_err(|error| tracing::debug!(%error, "moves go unnoticed")).ok();
        Self { listens, changes, settles: None, at: None }
    }

    /// One has given nothing.
    pub(super) fn later(&mut self, now: Instant) {
        self.at = self.at.or(Some(now + INTERVAL));
    }

    pub(super) fn descriptor(&self) -> Option<PollFd<'_>> {
        self.changes.as_ref().and_then(Changes::descriptor)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let changes = self.changes.as_ref().and_then(Changes::poll_timeout);
        changes.into_iter().chain(self.settles).chain(self.at).min()
    }

    /// Whether to look now.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if self.changes.as_mut().is_some_and(|changes| changes.any(now)) {
            self.settles = Some(now + SETTLE);
        }
        self.is_time(now)
    }

    fn is_time(&mut self, now: Instant) -> bool {
        let has_settled = self.settles.take_if(|settles| *settles <= now).is_some();
        let is_late = self.at.take_if(|at| *at <= now).is_some();
        has_settled || is_late
    }
}

#[cfg(test)]
mod tests {
    use net::clock;
    use wire::Bind;

    use super::*;

    #[test]
    fn what_gave_nothing_is_asked_every_ten_minutes_and_when_a_change_has_settled() {
        let now = clock::now();
        let listens = Listens { bind: Bind::Any, ssh: None };
        let mut retry = Retry { listens, changes: None, settles: None, at: None };
        assert!(!retry.is_time(now));
        assert_eq!(retry.poll_timeout(), None, "nobody wakes where everything is had");
        retry.later(now);
        retry.later(now + SETTLE);
        assert_eq!(retry.poll_timeout(), Some(now + INTERVAL));
        retry.settles = Some(now + SETTLE);
        assert!(!retry.is_time(now));
        assert!(retry.is_time(now + SETTLE));
        assert!(!retry.is_time(now + SETTLE));
        assert!(retry.is_time(now + INTERVAL));
    }
}
