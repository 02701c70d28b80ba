//! When better ways get a datagram of their own.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::event::WayId;

/// For how long they are tried again and again, once there is reason to: a router needs some seconds to map a port, or to
/// let go of what it took for its own.
pub const TRIAL_SPAN: Duration = Duration::from_secs(10);

/// Waits double from this one on. Where nothing comes of a trial, what is typed meanwhile is echoed a head start later.
pub const FIRST_TRIAL: Duration = Duration::from_secs(1);

/// A single one may be lost. Between two of them the followed way has its turn, which is a head start long as well.
pub const TRIAL_DATAGRAMS: u32 = 3;

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
    /// When the first of its datagrams was asked for.
    begun: Option<Instant>,
    left: u32,
    under_way: Option<Tried>,
    random: Rng,
}

impl Trial {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            wait: FIRST_TRIAL,
            haste_ends: None,
            begun: None,
            left: TRIAL_DATAGRAMS,
            under_way: None,
            random: Rng::with_seed(seed),
        }
    }

    /// There is reason to try from now on.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.wait = FIRST_TRIAL;
        self.haste_ends = Some(now + TRIAL_SPAN);
        self.renew();
    }

    pub(crate) fn is_new(&self) -> bool {
        self.begun.is_none()
    }

    /// A datagram is asked for; when to ask for the next, or to begin another trial.
    pub(crate) fn take(&mut self, turn: Duration, now: Instant) -> Instant {
        let begun = *self.begun.get_or_insert(now);
        let next_turn = now + 2 * turn;
        self.left -= 1;
        if self.left > 0 { next_turn } else { self.next(begun).max(next_turn) }
    }

    /// When to begin another. Up to an eighth sooner than after an interval, so that sessions that began together do not try
    /// together.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        self.renew();
        if let Some(end) = self.haste_ends.filter(|&end| now < end) {
            let next = end.min(now + self.wait);
            self.wait *= 2;
            return next;
        }
        now + TRIAL_INTERVAL - (TRIAL_INTERVAL / 8).mul_f64(self.random.f64_inclusive())
    }

    fn renew(&mut self) {
        (self.begun, self.left) = (None, TRIAL_DATAGRAMS);
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

    const TURN: Duration = Duration::from_millis(200);

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn trials_are_made_for_ten_seconds_and_then_about_once_a_minute() {
        let (mut trial, begin) = (Trial::new(7), start());
        trial.hurry(begin);
        let (mut at, mut times) = (begin, Vec::new());
        while times.len() < 30 {
            times.push((at - begin).as_millis());
            at = trial.take(TURN, at);
        }
        let trials: Vec<_> = times.chunks(3).map(|three| three[0]).collect();
        assert!(
            times.chunks(3).all(|three| three == [three[0], three[0] + 400, three[0] + 800]),
            "{times:?}"
        );
        assert_eq!(trials[..5], [0, 1_200, 3_200, 7_200, 10_000]);
        let waits: Vec<_> = trials[4..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits.iter().all(|wait| (52_500..=60_000).contains(wait)), "{waits:?}");
    }
}
