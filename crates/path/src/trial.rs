//! When better ways get a datagram of their own.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::event::WayId;

/// For how long they are tried again and again, once there is reason to: a router needs some seconds to map a port, or to
/// let go of what it took for its own.
pub const TRIAL_SPAN: Duration = Duration::from_secs(10);

/// Waits double from this one on. Where nothing comes of a trial, what is typed meanwhile is echoed a head start later.
pub const FIRST_TRIAL: Duration = Duration::from_secs(1);

/// A way that opens without any sign of it is found within this time.
pub const TRIAL_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    BetterRanks,
    /// A channel that was opened beside the followed one.
    Channel(WayId),
}

/// While a way is followed that leaves others a head start.
#[derive(Debug)]
pub(crate) struct Trial {
    wait: Duration,
    haste_ends: Option<Instant>,
    under_way: Option<Tried>,
    random: Rng,
}

impl Trial {
    pub(crate) fn new(seed: u64) -> Self {
        Self { wait: FIRST_TRIAL, haste_ends: None, under_way: None, random: Rng::with_seed(seed) }
    }

    /// There is reason to try from now on.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.wait = FIRST_TRIAL;
        self.haste_ends = Some(now + TRIAL_SPAN);
    }

    /// When to try again. Up to an eighth sooner than after an interval, so that sessions that began together do not try together.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        if let Some(end) = self.haste_ends.filter(|&end| now < end) {
            let next = end.min(now + self.wait);
            self.wait *= 2;
            return next;
        }
        now + TRIAL_INTERVAL - (TRIAL_INTERVAL / 8).mul_f64(self.random.f64_inclusive())
    }

    /// From now on datagrams are theirs alone.
    pub(crate) fn begin(&mut self, tried: Tried) {
        self.under_way = Some(tried);
    }

    pub(crate) fn under_way(&self) -> Option<Tried> {
        self.under_way
    }

    /// Whether it was under way.
    pub(crate) fn end(&mut self) -> bool {
        self.under_way.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn trials_are_made_for_ten_seconds_and_then_about_once_a_minute() {
        let (mut trial, begin) = (Trial::new(7), start());
        trial.hurry(begin);
        let mut at = begin;
        let times: Vec<_> = (0..8)
            .map(|_| {
                at = trial.next(at);
                (at - begin).as_secs()
            })
            .collect();
        assert_eq!(times[..4], [1, 3, 7, 10]);
        let waits: Vec<_> = times[3..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits.iter().all(|wait| (52..=60).contains(wait)), "{waits:?}");
    }
}
