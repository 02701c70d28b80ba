//! For how long every datagram goes over all paths.

use std::time::{Duration, Instant};

use crate::log::Reason;

/// Long enough for a new link to get its routes, and for what the old one had under way to arrive.
pub const RACE_SPAN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Race {
    reason: Reason,
    /// Counted from its first datagram; `None` until then.
    ends: Option<Instant>,
    answered: bool,
    has_led: bool,
}

impl Race {
    pub(crate) fn new(reason: Reason) -> Self {
        Self { reason, ends: None, answered: false, has_led: false }
    }

    /// Its first datagram is one that has been sent.
    pub(crate) fn begun(reason: Reason, now: Instant) -> Self {
        Self { reason, ends: Some(now + RACE_SPAN), answered: false, has_led: false }
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    /// The session has moved since it began.
    pub(crate) fn has_led(&self) -> bool {
        self.has_led
    }

    pub(crate) fn lead(&mut self) {
        self.has_led = true;
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    /// What comes before its first datagram answers something else.
    pub(crate) fn answer(&mut self) {
        self.answered |= self.ends.is_some();
    }

    /// Asked for each datagram; without an answer it has no end.
    pub(crate) fn goes_on(&mut self, now: Instant) -> bool {
        let ends = *self.ends.get_or_insert(now + RACE_SPAN);
        !self.answered || now < ends
    }
}
