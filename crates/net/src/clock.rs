//! The only reader of the time.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Goes on while the machine sleeps, which on Linux the clock of [`Instant`] itself does not.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "shells get their time here, and pass it on as an argument")]
pub fn now() -> Instant {
    static START: OnceLock<(Instant, Duration)> = OnceLock::new();
    let (started, booted) = *START.get_or_init(|| (Instant::now(), since_boot()));
    started + since_boot().saturating_sub(booted)
}

/// Seconds since 1970, for what outlives the process.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "shells get their time here, and pass it on as an argument")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
    fn it_is_never_behind_the_clock_that_stands_still_in_sleep() {
        let started = now();
        let elapsed = started.elapsed();
        assert!(now() >= started + elapsed - Duration::from_millis(1));
    }
}
