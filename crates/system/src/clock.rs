//! The only reader of the time.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::own;

/// Goes on while the machine sleeps where the system has such a time; that of [`Instant`] itself does not.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "shells get their time here, and pass it on as an argument")]
pub fn now() -> Instant {
    static START: OnceLock<(Duration, Instant)> = OnceLock::new();
    // In this order: whoever has to wait between the two is ahead of the other clock, and not behind.
    let (booted, started) = *START.get_or_init(|| (own::time::since_boot(), Instant::now()));
    started + own::time::since_boot().saturating_sub(booted)
}

/// Seconds since 1970, for what outlives the process.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "shells get their time here, and pass it on as an argument")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// When this machine was booted, by the clock of now: in seconds since 1970.
#[must_use]
pub fn booted_at() -> u64 {
    unix_seconds().saturating_sub(own::time::since_boot().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_behind_the_clock_that_stands_still_in_sleep() {
        let started = now();
        let elapsed = started.elapsed();
        assert!(now() >= started + elapsed);
    }
}
