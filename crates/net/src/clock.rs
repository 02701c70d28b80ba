//! The only reader of the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

#[must_use]
#[expect(clippy::disallowed_methods, reason = "shells get their time here, and pass it on as an argument")]
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for what outlives the process.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "shells get their time here, and pass it on as an argument")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A clock that goes on while the machine sleeps, which on Linux that of [`now`] does not.
#[derive(Debug, Clone, Copy)]
pub struct SleeplessClock {
    started: Instant,
    since_boot: Duration,
}

impl SleeplessClock {
    #[must_use]
    pub fn start() -> Self {
        Self { started: now(), since_boot: since_boot() }
    }

    #[must_use]
    pub fn now(&self) -> Instant {
        self.started + since_boot().saturating_sub(self.since_boot)
    }
}

fn since_boot() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    let (seconds, nanoseconds) = (u64::try_from(tv_sec), u32::try_from(tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleepless_clock_is_never_behind_the_other() {
        let (clock, started) = (SleeplessClock::start(), now());
        let elapsed = started.elapsed();
        assert!(clock.now() >= started + elapsed - Duration::from_millis(1));
    }
}
