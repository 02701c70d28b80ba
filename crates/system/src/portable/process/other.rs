//! A process by its number, which another may have after it.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A process that need be no child of this one.
#[derive(Debug)]
pub struct Other(Pid);

impl Other {
    /// # Errors
    ///
    /// There is no such process.
    pub fn of(pid: Pid) -> io::Result<Self> {
        let this = Self(pid);
        if this.has_ended() { Err(Errno::SRCH.into()) } else { Ok(this) }
    }

    /// # Errors
    ///
    /// It has ended, or belongs to another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.0, signal)?)
    }

    /// And its parent has waited for it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        test_kill_process(self.0) == Err(Errno::SRCH)
    }
}
