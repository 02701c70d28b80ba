//! A process, mosh-server as a rule, as one who waits for its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::process::ProcessIdentity;

#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) identity: ProcessIdentity,
    process: OwnedFd,
}

impl Watched {
    /// `None`: it has ended already.
    pub(crate) fn new(identity: ProcessIdentity) -> Option<Self> {
        let process = pidfd_open(identity.pid()?, PidfdFlags::empty()).ok()?;
        identity.is_alive().then_some(Self { identity, process })
    }

    /// Whether somebody waits for it or not.
    pub(crate) fn has_ended(&self) -> bool {
        !self.identity.is_alive()
    }

    /// Nobody gets it in place of one that has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.process, signal)?)
    }

    /// Can be read once it has ended.
    pub(crate) fn descriptor(&self) -> PollFd<'_> {
        PollFd::from_borrowed_fd(self.process.as_fd(), PollFlags::IN)
    }
}
