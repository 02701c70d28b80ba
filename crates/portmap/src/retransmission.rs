//! When a question that was not answered is asked again, and when it is given up.

use std::time::{Duration, Instant};

use crate::random::Random;

/// The waits after each attempt: the first, then twice the last, up to a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) first: Duration,
    pub(crate) ceiling: Duration,
    /// How often the question is sent in all, at least once.
    pub(crate) attempts: u32,
    /// Each wait is varied by up to this many thousandths either way.
    pub(crate) jitter_permille: u32,
}

/// A question under way: sent once when this is made, to be sent again at [`Self::deadline`].
#[derive(Debug)]
pub(crate) struct Retransmission {
    schedule: Schedule,
    sent: u32,
    wait: Duration,
    deadline: Instant,
}

impl Retransmission {
    pub(crate) fn new(schedule: Schedule, now: Instant, random: &mut Random) -> Self {
        let wait = random.vary(schedule.first, schedule.jitter_permille);
        Self { schedule, sent: 1, wait, deadline: now + wait }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// To be called once the deadline has passed: `true` = send again, `false` = give up.
    pub(crate) fn advance(&mut self, now: Instant, random: &mut Random) -> bool {
        if self.sent >= self.schedule.attempts {
            return false;
        }
        self.sent += 1;
        // RFC 6887 §8.1.1: RT = (1 + RAND) * MIN (2 * RTprev, MRT)
        let doubled = (self.wait * 2).min(self.schedule.ceiling);
        self.wait = random.vary(doubled, self.schedule.jitter_permille);
        self.deadline = now + self.wait;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test has to get an instant from somewhere")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Every wait of a schedule, in order, until it is given up.
    fn waits(schedule: Schedule, seed: u64) -> Vec<Duration> {
        let mut random = Random::new(seed);
        let mut now = start();
        let mut retransmission = Retransmission::new(schedule, now, &mut random);
        let mut waits = Vec::new();
        loop {
            waits.push(retransmission.deadline() - now);
            now = retransmission.deadline();
            if !retransmission.advance(now, &mut random) {
                return waits;
            }
        }
    }

    #[test]
    fn waits_double_up_to_the_ceiling() {
        let ms = Duration::from_millis;
        let schedule = Schedule { first: ms(250), ceiling: ms(900), attempts: 4, jitter_permille: 0 };
        assert_eq!(waits(schedule, 1), [ms(250), ms(500), ms(900), ms(900)]);
    }

    #[test]
    fn jitter_stays_within_its_share_and_uses_it() {
        let second = Duration::from_secs(1);
        let schedule = Schedule { first: second, ceiling: second, attempts: 1000, jitter_permille: 100 };
        let waits = waits(schedule, 7);
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*least >= Duration::from_millis(900) && *least < Duration::from_millis(905), "{least:?}");
        assert!(*most <= Duration::from_millis(1100) && *most > Duration::from_millis(1095), "{most:?}");
    }
}
