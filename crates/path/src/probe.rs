//! When better-ranked paths get a copy.

use std::time::{Duration, Instant};

use fastrand::Rng;

/// Soon after a move: the better path may have been slow to come up.
pub const FIRST_PROBE: Duration = Duration::from_secs(10);

/// A path that opens without any sign of it is found within this time. Three small datagrams a path are no load.
pub const LAST_PROBE: Duration = Duration::from_secs(240);

/// A single datagram may be lost.
pub const PROBE_DATAGRAMS: u32 = 3;

/// Waits that double from [`FIRST_PROBE`] to [`LAST_PROBE`], each up to an eighth shorter, so that sessions that began
/// together do not probe together.
#[derive(Debug)]
pub(crate) struct Probe {
    wait: Duration,
    next: Option<Instant>,
    left: u32,
    random: Rng,
}

impl Probe {
    pub(crate) fn new(seed: u64) -> Self {
        Self { wait: FIRST_PROBE, next: None, left: 0, random: Rng::with_seed(seed) }
    }

    /// From now on as after a first move.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.wait = FIRST_PROBE;
        self.left = 0;
        self.schedule(now);
    }

    /// The next datagrams are probes.
    pub(crate) fn hurry(&mut self) {
        self.left = PROBE_DATAGRAMS;
    }

    /// Whether the datagram at hand is to be copied.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        if self.next.is_some_and(|next| next <= now) {
            self.left = PROBE_DATAGRAMS;
            self.wait = (self.wait * 2).min(LAST_PROBE);
            self.schedule(now);
        }
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }

    fn schedule(&mut self, now: Instant) {
        let jitter = (self.wait / 8).mul_f64(self.random.f64_inclusive());
        self.next = Some(now + self.wait - jitter);
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
    fn probes_come_in_threes_ever_more_rarely_but_at_least_every_four_minutes() {
        let (mut probe, begin) = (Probe::new(7), start());
        probe.restart(begin);
        let taken: Vec<_> =
            (0..2_000).filter(|&second| probe.take(begin + Duration::from_secs(second))).collect();
        let first = taken.iter().step_by(3).copied().collect::<Vec<_>>();
        assert!(taken.chunks(3).all(|three| three == [three[0], three[0] + 1, three[0] + 2]), "{taken:?}");
        let waits: Vec<_> = first.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((9..=10).contains(&first[0]), "{first:?}");
        assert!((18..=20).contains(&waits[0]) && (35..=40).contains(&waits[1]), "{waits:?}");
        assert!(waits[5..].iter().all(|wait| (210..=240).contains(wait)), "{waits:?}");
    }
}
