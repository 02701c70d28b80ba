//! Differences of the clock, in the units of rows; and time that has to pass.

use std::time::{Duration, Instant};

use anyhow::Result;

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn milliseconds_since(start: Instant) -> f64 {
    milliseconds(net::clock::now() - start)
}

/// For what is a matter of time, such as a session that is idle.
pub(crate) fn rest(time: Duration) -> Result<()> {
    Ok(net::wait::wait(&mut [], Some(net::clock::now() + time))?)
}
