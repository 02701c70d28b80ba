//! Whether the lease file claims something else than when the firewall was last read.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Change {
    /// How long it has to last.
    patience: Duration,
    seen: u64,
    /// What was seen last when a reading began.
    read: u64,
    since: Option<Instant>,
}

impl Change {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, seen: 0, read: 0, since: None }
    }

    pub(super) fn see(&mut self, fingerprint: u64, now: Instant) {
        self.seen = fingerprint;
        self.since = (self.seen != self.read).then(|| self.since.unwrap_or(now));
    }

    /// When the firewall is to be read for it.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + self.patience)
    }

    /// A reading begins.
    pub(super) fn read(&mut self) {
        self.read = self.seen;
        self.since = None;
    }
}
