//! How often something may be done that others can bring about.

use std::time::{Duration, Instant};

/// After what took some time, this many times as long is rested, so that a third of one processor is the most it takes.
const RESTS: u32 = 2;

#[derive(Debug)]
pub struct Pace {
    least: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// Between the end of one time and the beginning of the next there is `least`, or more.
    #[must_use]
    pub fn new(least: Duration) -> Self {
        Self { least, next: None }
    }

    /// It was done.
    pub fn rest(&mut self, began: Instant, ended: Instant) {
        let rest = RESTS * ended.saturating_duration_since(began);
        self.no_earlier_than(ended + rest.max(self.least));
    }

    pub fn no_earlier_than(&mut self, at: Instant) {
        self.next = self.next.max(Some(at));
    }

    /// When it may be done again; `None`: at once.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    #[must_use]
    pub fn allows(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
    fn what_takes_long_is_done_seldom() {
        let (least, start) = (Duration::from_millis(250), Instant::now());
        let mut pace = Pace::new(least);
        assert!(pace.allows(start));
        pace.rest(start, start + Duration::from_millis(1));
        assert_eq!(pace.next(), Some(start + Duration::from_millis(1) + least));
        assert!(!pace.allows(start + least) && pace.allows(start + 2 * least));
        let (began, took) = (start + 2 * least, Duration::from_millis(200));
        pace.rest(began, began + took);
        assert_eq!(pace.next(), Some(began + 3 * took));
    }
}
