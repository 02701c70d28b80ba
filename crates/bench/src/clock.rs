//! Differences of the clock, in the units of rows; and time that has to pass.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn milliseconds_since(start: Instant) -> f64 {
    milliseconds(net::clock::now() - start)
}

/// Since 1970 (UTC): what the programs of a lab, on the same machine, take for the time.
pub(crate) fn since_the_epoch() -> Result<Duration> {
    Ok(clock_gettime(ClockId::Realtime).try_into()?)
}

/// For what is a matter of time, such as a session that is idle.
pub(crate) fn rest(time: Duration) -> Result<()> {
    Ok(net::wait::wait(&mut [], Some(net::clock::now() + time))?)
}
