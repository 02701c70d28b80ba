//! Addresses that a session fell from too often are left alone for a while.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What falls silent sooner than this after it was taken is not worth taking again so soon: each time costs the patience of
/// whoever types. There are NATs that forget a flow in use after 50 to 75 s.
pub const SHORT_LIVED: Duration = Duration::from_secs(120);

/// Waits double from the first to the last.
pub const FIRST_REST: Duration = Duration::from_secs(60);
pub const LAST_REST: Duration = Duration::from_secs(600);

/// Of one thing that may fall again and again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rest {
    last: Option<Duration>,
    ends: Option<Instant>,
}

impl Rest {
    /// It fell silent, so long after it was taken. The first time is forgiven.
    pub(crate) fn fall(&mut self, lived: Duration, now: Instant) {
        let before = self.last.filter(|_| lived < SHORT_LIVED);
        let rest = before.map_or(Duration::ZERO, |last| (last * 2).clamp(FIRST_REST, LAST_REST));
        *self = Self { last: Some(rest), ends: Some(now + rest) };
    }

    pub(crate) fn ends(&self) -> Option<Instant> {
        self.ends
    }

    pub(crate) fn holds(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| now < ends)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Damping(BTreeMap<SocketAddr, Rest>);

impl Damping {
    pub(crate) fn fall(&mut self, address: SocketAddr, lived: Duration, now: Instant) {
        self.0.entry(address).or_default().fall(lived, now);
    }

    pub(crate) fn holds(&self, address: SocketAddr, now: Instant) -> bool {
        self.0.get(&address).is_some_and(|rest| rest.holds(now))
    }

    pub(crate) fn retain(&mut self, known: impl Fn(SocketAddr) -> bool) {
        self.0.retain(|&address, _| known(address));
    }

    #[cfg(test)]
    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        self.0.contains_key(&address)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// In another network everything may be different.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    const fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// How long it rests after each of these lives.
    fn rests(lives: &[u64]) -> Vec<u64> {
        let (mut damping, mut now) = (Damping::default(), start());
        let address = SocketAddr::from(([198, 51, 100, 1], 60_001));
        let mut rest = |&life: &u64| {
            now += seconds(life);
            damping.fall(address, seconds(life), now);
            let rest = (0..=600).find(|&rest| !damping.holds(address, now + seconds(rest))).unwrap();
            now += seconds(rest);
            rest
        };
        lives.iter().map(&mut rest).collect()
    }

    #[test]
    fn what_falls_again_and_again_rests_ever_longer() {
        assert_eq!(rests(&[3_600, 60, 60, 60, 60, 60, 60]), [0, 60, 120, 240, 480, 600, 600]);
    }

    #[test]
    fn what_lived_for_two_minutes_is_forgiven() {
        assert_eq!(rests(&[60, 60, 60, 120, 60]), [0, 60, 120, 0, 60]);
    }
}
