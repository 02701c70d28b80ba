//! Programs that run beside the session, read without waiting.

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, id};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// The most that is taken from a pipe at once.
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// A command that is told to end when this process does, however it ends.
pub(crate) fn tied(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg("--tied").arg(id().to_string()).arg(program);
    command
}

pub(crate) fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// A child is ours to wait for, so its number is not given to another before.
pub(crate) fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = pid(child)
        && let Err(error) = kill_process(pid, signal)
    {
        tracing::debug!(%error, "not signalled");
    }
}

/// Can be read from once the child has ended.
pub(crate) fn end_of(child: &Child) -> Result<OwnedFd> {
    let pid = pid(child).context("a process has a number")?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// The reading end of a pipe.
#[derive(Debug)]
pub(crate) struct Pipe<R>(Option<R>);

impl<R: Read + AsFd> Pipe<R> {
    pub(crate) fn new(pipe: Option<R>) -> Result<Self> {
        if let Some(pipe) = &pipe {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        Ok(Self(pipe))
    }

    /// What has arrived; nothing, if nothing has, or nothing ever will.
    pub(crate) fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; READ_BYTES];
        let length = match self.0.as_mut().map(|pipe| pipe.read(&mut bytes)) {
            Some(Ok(length @ 1..)) => length,
            Some(Err(error)) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => 0,
            _ => {
                self.0 = None;
                0
            }
        };
        bytes.truncate(length);
        bytes
    }

    pub(crate) fn descriptor(&self) -> Option<PollFd<'_>> {
        self.0.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN))
    }
}

/// For a message: as a user would type it.
pub(crate) fn shown(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
