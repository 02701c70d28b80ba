//! Has the gateway forgotten its mappings? Both protocols tell by a clock that starts again with the table.

use std::time::{Duration, Instant};

/// Which RFC says what a plausible clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// RFC 6886 §3.6: only a clock that is behind betrays a loss.
    NatPmp,
    /// RFC 6887 §8.5: a clock that is ahead does so too.
    Pcp,
}

/// The gateway's clock as last told.
#[derive(Debug)]
pub(crate) struct Epoch {
    rule: Rule,
    last: Option<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    seconds: u32,
    at: Instant,
}

impl Epoch {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, last: None }
    }

    /// As last told, in seconds.
    pub(crate) fn seconds(&self) -> Option<u32> {
        self.last.map(|last| last.seconds)
    }

    /// Takes a reading, and tells whether it shows that the gateway lost its state since the one before.
    ///
    /// The first reading is always plausible (RFC 6887 §8.5). An implausible one is the base of the next
    /// comparison all the same, so one restart is told once.
    pub(crate) fn observe(&mut self, seconds: u32, now: Instant) -> bool {
        let Some(last) = self.last.replace(Reading { seconds, at: now }) else { return false };
        let elapsed = now.saturating_duration_since(last.at);
        match self.rule {
            Rule::NatPmp => nat_pmp_lost(last.seconds, elapsed, seconds),
            Rule::Pcp => pcp_lost(last.seconds, elapsed, seconds),
        }
    }
}

/// RFC 6886 §3.6: the gateway's clock may run at 7/8 of ours, and 2 seconds behind that.
fn nat_pmp_lost(previous: u32, elapsed: Duration, current: u32) -> bool {
    const TOLERANCE_SECONDS: u128 = 2;
    // Both sides times 8, in milliseconds: exact, where the RFC's 7/8 of whole seconds would have to round.
    let estimate = u128::from(previous) * 8_000 + elapsed.as_millis() * 7;
    (u128::from(current) + TOLERANCE_SECONDS) * 8_000 < estimate
}

/// RFC 6887 §8.5, "using integer arithmetic" on whole seconds.
fn pcp_lost(previous: u32, elapsed: Duration, current: u32) -> bool {
    /// "The server Epoch time apparently going backwards by *up to* one second is not deemed invalid".
    const REORDERING_SECONDS: u64 = 1;
    /// Each of the two clocks is up to one second coarse.
    const QUANTIZATION_SECONDS: u64 = 2;
    let (previous, current) = (u64::from(previous), u64::from(current));
    if current + REORDERING_SECONDS < previous {
        return true;
    }
    let server = current.saturating_sub(previous);
    let client = elapsed.as_secs();
    client + QUANTIZATION_SECONDS < server - server / 16
        || server + QUANTIZATION_SECONDS < client - client / 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test has to get an instant from somewhere")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Whether `second` is a loss after `first`, `elapsed` later.
    fn lost(rule: Rule, first: u32, elapsed: Duration, second: u32) -> bool {
        let mut epoch = Epoch::new(rule);
        let now = start();
        assert!(!epoch.observe(first, now), "the first reading is always plausible");
        epoch.observe(second, now + elapsed)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn quirk_70_a_nat_pmp_clock_may_be_two_seconds_behind_seven_eighths() {
        // 1000 + 7/8 * 80 - 2 = 1068
        assert!(!lost(Rule::NatPmp, 1000, seconds(80), 1068));
        assert!(lost(Rule::NatPmp, 1000, seconds(80), 1067));
        // 7/8 * 81 = 70.875: 1068 is less than 1068.875
        assert!(lost(Rule::NatPmp, 1000, seconds(81), 1068));
        assert!(!lost(Rule::NatPmp, 1000, seconds(81), 1069));
    }

    #[test]
    fn quirk_70_a_nat_pmp_clock_that_is_ahead_is_plausible() {
        assert!(!lost(Rule::NatPmp, 1000, seconds(1), 900_000));
    }

    #[test]
    fn quirk_70_a_nat_pmp_clock_that_starts_again_is_a_loss() {
        assert!(lost(Rule::NatPmp, 3, Duration::ZERO, 0));
        assert!(!lost(Rule::NatPmp, 2, Duration::ZERO, 0));
    }

    #[test]
    fn quirk_70_a_pcp_clock_may_go_back_by_one_second_but_not_by_two() {
        assert!(!lost(Rule::Pcp, 1000, Duration::ZERO, 999));
        assert!(lost(Rule::Pcp, 1000, Duration::ZERO, 998));
    }

    #[test]
    fn quirk_70_a_pcp_clock_may_be_a_sixteenth_and_two_seconds_behind() {
        // client = 160: server + 2 < 160 - 10 is a loss
        assert!(!lost(Rule::Pcp, 0, seconds(160), 148));
        assert!(lost(Rule::Pcp, 0, seconds(160), 147));
    }

    #[test]
    fn quirk_70_a_pcp_clock_may_be_a_sixteenth_and_two_seconds_ahead() {
        // server = 160: client + 2 < 160 - 10 is a loss
        assert!(!lost(Rule::Pcp, 0, seconds(148), 160));
        assert!(lost(Rule::Pcp, 0, seconds(147), 160));
    }

    #[test]
    fn pcp_seconds_are_counted_whole() {
        // 160.9 s count as 160
        assert!(!lost(Rule::Pcp, 0, Duration::from_millis(160_900), 148));
    }

    #[test]
    fn a_loss_is_told_once() {
        for rule in [Rule::NatPmp, Rule::Pcp] {
            let mut epoch = Epoch::new(rule);
            let now = start();
            epoch.observe(5000, now);
            assert!(epoch.observe(0, now + seconds(10)));
            assert!(!epoch.observe(1, now + seconds(11)));
        }
    }

    #[test]
    fn extreme_readings_do_not_overflow() {
        for rule in [Rule::NatPmp, Rule::Pcp] {
            assert!(lost(rule, u32::MAX, seconds(u64::from(u32::MAX)), 0));
            assert_eq!(lost(rule, 0, Duration::ZERO, u32::MAX), rule == Rule::Pcp);
        }
    }

    #[test]
    fn a_clock_of_ours_that_goes_back_counts_as_standing_still() {
        let mut epoch = Epoch::new(Rule::Pcp);
        let now = start();
        epoch.observe(100, now + seconds(50));
        assert!(!epoch.observe(101, now));
    }
}
