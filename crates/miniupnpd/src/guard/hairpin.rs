//! When the rules for clients inside follow the mappings.

use std::time::{Duration, Instant};

use super::RECHECK;
use crate::mapping::Mappings;

/// Without a change. miniupnpd 2.3.1 fails with what it is doing when somebody else changes rules meanwhile, so what it
/// is doing must be over: it writes the lease file in the middle of it.
pub(super) const QUIET: Duration = Duration::from_millis(250);

/// After the first change, however many follow.
pub(super) const LATEST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Hairpin {
    wanted: Mappings,
    applied: Option<Mappings>,
    pending: Option<Pending>,
    /// The first and the last change that is not applied.
    changed: Option<(Instant, Instant)>,
    retry_at: Option<Instant>,
}

/// What is being applied.
#[derive(Debug)]
struct Pending {
    mappings: Mappings,
    /// It was made for what does not hold any more, such as another outside address.
    is_void: bool,
}

impl Hairpin {
    /// What to apply now, if anything; one transaction at a time.
    pub(super) fn follow(&mut self, wanted: &Mappings, now: Instant) -> Option<Mappings> {
        if self.wanted != *wanted {
            self.wanted = wanted.clone();
            let first = self.changed.map_or(now, |(first, _)| first);
            self.changed = Some((first, now));
        }
        self.retry_at = self.retry_at.filter(|at| *at > now);
        if self.pending.is_some() || self.poll_timeout().is_some_and(|due| due > now) {
            return None;
        }
        self.changed = None;
        if self.applied.as_ref() == Some(&self.wanted) {
            return None;
        }
        self.pending = Some(Pending { mappings: self.wanted.clone(), is_void: false });
        Some(self.wanted.clone())
    }

    pub(super) fn handle_result(&mut self, applied: bool, now: Instant) {
        let pending = self.pending.take();
        if applied {
            self.applied = pending.filter(|pending| !pending.is_void).map(|pending| pending.mappings);
        } else {
            self.retry_at = Some(now + RECHECK);
        }
    }

    /// What was applied is no longer so, nor is what is being applied.
    pub(super) fn forget(&mut self) {
        self.applied = None;
        if let Some(pending) = &mut self.pending {
            pending.is_void = true;
        }
    }

    pub(super) fn is_applied(&self) -> bool {
        self.applied.is_some()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.pending.is_some() {
            return None;
        }
        let settled = self.changed.map(|(first, last)| (last + QUIET).min(first + LATEST));
        // Without any rules in force there is nothing to wait for.
        let settled = settled.filter(|_| self.applied.is_some());
        self.retry_at.or(settled)
    }
}
