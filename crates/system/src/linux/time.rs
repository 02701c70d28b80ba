//! The time of CLOCK_BOOTTIME.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}
