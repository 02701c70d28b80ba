//! The time of poll(2) may stand still in sleep: no wait is long.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::PollFd;

use crate::clock;
use crate::wait::wait_for;

/// As late as a deadline may come.
const LONGEST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Alarm(());

impl Alarm {
    /// # Errors
    ///
    /// None here.
    pub fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// As [`crate::wait::wait`] does, and now and then it returns before anything has happened; the deadline is by
    /// [`clock::now`].
    ///
    /// # Errors
    ///
    /// Those of [`crate::wait::wait`].
    pub fn wait<'a>(
        &'a self,
        descriptors: &mut Vec<PollFd<'a>>,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()).min(LONGEST));
        wait_for(descriptors, left)
    }
}
