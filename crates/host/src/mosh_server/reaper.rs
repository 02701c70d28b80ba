//! Waits for children that have ended, adopted ones too: nobody else does, and until then each is a zombie.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::Result;
use programs::signals::Signals;
use rustix::process::{Pid, Signal, WaitOptions, wait};

/// Can be read from when children have ended.
#[derive(Debug)]
pub(crate) struct Reaper(Signals);

impl Reaper {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Signals::of(&[Signal::CHILD])?))
    }

    /// Those that have ended, and how.
    pub(crate) fn reap(&mut self) -> Vec<(Pid, ExitStatus)> {
        // First the signals: one that comes now is about a child that may be missed below.
        self.0.have_come();
        let ended = std::iter::from_fn(|| wait(WaitOptions::NOHANG).ok().flatten());
        ended.map(|(pid, status)| (pid, ExitStatus::from_raw(status.as_raw()))).collect()
    }
}

impl AsFd for Reaper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
