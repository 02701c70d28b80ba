//! One process that the lab started inside a host.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::wait::Deadline;

/// Killed with its process group, and reaped, on drop.
#[derive(Debug)]
pub(crate) struct Process {
    what: String,
    pid: Pid,
    pidfd: OwnedFd,
    child: Mutex<Child>,
}

impl Process {
    /// `what` names the process in errors.
    pub(crate) fn new(what: String, child: Child) -> Result<Self> {
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { what, pid, pidfd, child: Mutex::new(child) })
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        pidfd_send_signal(&self.pidfd, signal)
            .map_err(|error| anyhow!("sending {signal:?} to {}: {error}", self.what))
    }

    /// `None` when the process still runs at the end of the limit.
    pub(crate) fn wait_exit(&self, within: Duration) -> Result<Option<ExitStatus>> {
        if wait_for_exit(&self.pidfd, within)? { Ok(Some(self.child().wait()?)) } else { Ok(None) }
    }

    pub(crate) fn kill(&self) {
        let mut child = self.child();
        if matches!(child.try_wait(), Ok(None)) {
            let _leads_no_group = kill_process_group(self.pid, Signal::KILL);
            let _already_gone = child.kill();
            let _already_reaped = child.wait();
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether the process behind `pidfd` ended within the limit.
pub(crate) fn wait_for_exit(pidfd: &impl AsFd, within: Duration) -> Result<bool> {
    let deadline = Deadline::after(within);
    loop {
        let mut ended = [PollFd::new(pidfd, PollFlags::IN)];
        match poll(&mut ended, Some(&deadline.poll_timeout())) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
