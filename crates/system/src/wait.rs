//! Waiting for file descriptors, with a deadline.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;

use crate::clock;

/// Returns when a descriptor is ready, at `deadline`, or when a signal came; the caller looks what it was.
///
/// # Errors
///
/// The kernel refuses the list, which means that it holds a closed descriptor.
pub fn wait(descriptors: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    wait_for(descriptors, deadline.map(|deadline| deadline.saturating_duration_since(clock::now())))
}

/// As [`wait`], no longer than `longest`.
///
/// # Errors
///
/// Those of [`wait`].
pub fn wait_for(descriptors: &mut [PollFd<'_>], longest: Option<Duration>) -> io::Result<()> {
    let timeout = longest
        .map(|longest| Timespec::try_from(longest).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }));
    match poll(descriptors, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
