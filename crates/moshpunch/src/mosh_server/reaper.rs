//! Waits for children that have ended, adopted ones too: nobody else does, and until then each is a zombie.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::Result;
use rustix::process::{Pid, WaitOptions, wait};
use signal_hook::consts::SIGCHLD;

/// Can be read from when children have ended.
#[derive(Debug)]
pub(crate) struct Reaper(UnixStream);

impl Reaper {
    pub(crate) fn new() -> Result<Self> {
        let (signals, signalled) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, signalled)?;
        Ok(Self(signals))
    }

    /// Those that have ended, and how.
    pub(crate) fn reap(&mut self) -> Vec<(Pid, ExitStatus)> {
        // First the signals: one that comes now is about a child that may be missed below.
        while self.0.read(&mut [0; 64]).is_ok() {}
        let ended = std::iter::from_fn(|| wait(WaitOptions::NOHANG).ok().flatten());
        ended.map(|(pid, status)| (pid, ExitStatus::from_raw(status.as_raw()))).collect()
    }
}

impl AsFd for Reaper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
