//! How long nothing may come from the host.

use std::mem::replace;
use std::time::{Duration, Instant};

/// Within that ssh has its answers, for sshd waits two minutes for a user (LoginGraceTime); the slowest host has tried each
/// program; and a line of 200 bytes a second has carried a packet of ssh's.
const LONGEST: Duration = Duration::from_secs(180);

/// Nobody is told earlier that nothing has come: ssh may be asking.
const TOLD: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Silence {
    since: Instant,
    is_told: bool,
}

impl Silence {
    pub(super) fn begin(now: Instant) -> Self {
        Self { since: now, is_told: false }
    }

    /// Something has come, or was taken.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        self.since = now;
    }

    /// Once, of a login in which nothing has begun.
    pub(super) fn is_to_be_told(&mut self, has_begun: bool, now: Instant) -> bool {
        let is_long = !has_begun && now.saturating_duration_since(self.since) >= TOLD;
        is_long && !replace(&mut self.is_told, true)
    }

    pub(super) fn is_too_long(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= LONGEST
    }

    pub(super) fn poll_timeout(&self, has_begun: bool) -> Instant {
        self.since + if has_begun || self.is_told { LONGEST } else { TOLD }
    }
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;

    #[test]
    fn a_login_that_says_nothing_is_told_of_once_and_ends() {
        let now = clock::now();
        let mut silence = Silence::begin(now);
        assert_eq!(silence.poll_timeout(false), now + TOLD);
        assert!(!silence.is_to_be_told(false, now));
        assert!(silence.is_to_be_told(false, now + TOLD));
        assert!(!silence.is_to_be_told(false, now + TOLD));
        assert_eq!(silence.poll_timeout(false), now + LONGEST);
        assert!(!silence.is_too_long(now + LONGEST - TOLD) && silence.is_too_long(now + LONGEST));
    }

    #[test]
    fn whatever_comes_is_waited_for_anew() {
        let now = clock::now();
        let mut silence = Silence::begin(now);
        silence.begin_anew(now + LONGEST);
        assert!(!silence.is_to_be_told(true, now + 2 * LONGEST));
        assert_eq!(silence.poll_timeout(true), now + 2 * LONGEST);
        assert!(!silence.is_too_long(now + 2 * LONGEST - TOLD) && silence.is_too_long(now + 2 * LONGEST));
    }
}
