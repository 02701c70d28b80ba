//! The time of CLOCK_MONOTONIC, which on macOS goes on in sleep.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}
