//! Seeded numbers that keep clients out of step with each other: SplitMix64. Never for secrets.
//!
//! A library's numbers may be others in its next release, and where a host begins in a known range is not to move with it.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform from zero to `limit`, both included. `limit` is at most 584 years.
    pub(crate) fn up_to(&mut self, limit: Duration) -> Duration {
        let nanoseconds = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.next() % (nanoseconds + 1))
    }

    /// `duration`, uniformly varied by up to `permille` thousandths either way.
    pub(crate) fn vary(&mut self, duration: Duration, permille: u32) -> Duration {
        let swing = duration * permille / 1000;
        duration - swing + self.up_to(swing * 2)
    }

    /// From 0 to `bound` - 1; `bound` is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 32).expect("32 bits fit") % bound
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_seeds_give_different_waits() {
        let limit = Duration::from_secs(5);
        assert_ne!(Random::new(1).up_to(limit), Random::new(2).up_to(limit));
    }

    #[test]
    fn the_longest_limit_does_not_overflow() {
        Random::new(0).up_to(Duration::MAX);
        assert_eq!(Random::new(0).up_to(Duration::ZERO), Duration::ZERO);
    }
}
