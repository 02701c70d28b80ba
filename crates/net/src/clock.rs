//! The only reader of the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

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
