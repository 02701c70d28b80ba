//! When to renew, and when to try again.

use std::time::{Duration, Instant};

use crate::random::Random;

/// A mapping without an end is looked at as often as one of an hour: routers forget them all the same.
const LEASE_TO_WATCH_A_PERMANENT_ONE: Duration = Duration::from_secs(3_600);

/// A lease of less is renewed as if it were this long, unless less was asked for: a router that grants a second whatever
/// is asked for would have no peace of us.
const SHORTEST_LEASE: Duration = Duration::from_secs(10);

/// How often a mapping is looked at, whatever its lease: a router that restarts without telling, or whose firewall is
/// reloaded under it, has the mapping back within this time. One datagram for PCP and NAT-PMP; for UPnP one
/// table entry and the external address.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(120);

/// A gateway that restarts is back in seconds; one that is switched off should not be asked all day long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// At a random time between 1/2 and 5/8 of the lease (RFC 6887 §11.2.1), so that hosts which lost their mappings
/// together do not renew them together.
pub(super) fn renewal(
    lease: Option<Duration>,
    asked_for: Duration,
    random: &mut Random,
    now: Instant,
) -> Instant {
    let lease = lease.unwrap_or(LEASE_TO_WATCH_A_PERMANENT_ONE).max(SHORTEST_LEASE.min(asked_for));
    let jitter = random.up_to(lease / 8);
    now + lease / 2 + jitter
}

/// The next check, a little earlier than [`CHECK_INTERVAL`] so that many do not come together, or the renewal.
pub(super) fn next_check(renews: Instant, random: &mut Random, now: Instant) -> Instant {
    let jitter = random.up_to(CHECK_INTERVAL / 8);
    renews.min(now + CHECK_INTERVAL - jitter)
}

/// Waits that double from a second to half a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_RETRY)
    }
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LAST_RETRY);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn renewals_fall_between_a_half_and_five_eighths_of_the_lease() {
        let (now, lease) = (start(), Duration::from_secs(3_600));
        let mut random = Random::new(7);
        let times: Vec<_> =
            (0..1000).map(|_| renewal(Some(lease), 3 * HOUR, &mut random, now) - now).collect();
        assert!(times.iter().all(|&time| time >= lease / 2 && time <= lease * 5 / 8));
        let spread = *times.iter().max().unwrap() - *times.iter().min().unwrap();
        assert!(spread > lease / 10, "{spread:?}");
    }

    #[test]
    fn quirk_91_the_shortest_leases_are_renewed_every_few_seconds() {
        let (now, mut random) = (start(), Random::new(7));
        for lease in
            [Duration::ZERO, Duration::from_millis(1), Duration::from_secs(1), Duration::from_secs(9)]
        {
            let wait = renewal(Some(lease), 3 * HOUR, &mut random, now) - now;
            assert!((SHORTEST_LEASE / 2..=SHORTEST_LEASE).contains(&wait), "{lease:?}: {wait:?}");
        }
        let two = Duration::from_secs(2);
        let wait = renewal(Some(two), two, &mut random, now) - now;
        assert!(wait < two, "as it was asked for: {wait:?}");
    }

    #[test]
    fn checks_come_before_the_renewal_and_within_the_interval() {
        let (now, mut random) = (start(), Random::new(7));
        let soon = now + Duration::from_secs(5);
        assert_eq!(next_check(soon, &mut random, now), soon);
        let checks = (0..1000).map(|_| next_check(now + 10 * CHECK_INTERVAL, &mut random, now) - now);
        assert!(checks.into_iter().all(|check| check <= CHECK_INTERVAL && check >= CHECK_INTERVAL * 7 / 8));
    }

    #[test]
    fn retries_double_up_to_half_a_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
