//! A program that runs beside a scenario, its output going to a log.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::process::Signal;

use crate::command::Command;
use crate::journal;
use crate::process::Process;
use crate::wait::Deadline;

/// Killed on drop.
#[derive(Debug)]
#[must_use = "a daemon is killed when its handle is dropped"]
pub struct Daemon {
    process: Arc<Process>,
    log: PathBuf,
}

impl Daemon {
    pub(crate) fn start(name: &str, command: &Command) -> Result<Self> {
        let log = command.host().lab().journal.log(&format!("{}: {name}", command.host().name()))?;
        let output = OpenOptions::new().append(true).open(&log)?;
        let process = command.start(output.try_clone()?, output)?;
        Ok(Self { process, log })
    }

    /// As seen from outside the host.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// # Errors
    /// When it has ended and was waited for.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// All that it has printed so far, stdout and stderr mixed as written.
    pub fn log(&self) -> String {
        journal::read(&self.log)
    }

    /// # Errors
    /// When the limit passes, or the program ends, before `text` is in its log.
    pub fn wait_for_log(&self, text: &str, within: Duration) -> Result<()> {
        let deadline = Deadline::after(within);
        let writes = watch(&self.log)?;
        loop {
            let ended = self.process.wait_exit(Duration::ZERO)?;
            let log = self.log();
            if log.contains(text) {
                return Ok(());
            }
            if let Some(status) = ended {
                bail!("{} ended ({status}) before it said {text:?}; it said:\n{log}", self.process.what());
            }
            if deadline.has_passed() {
                bail!("{} did not say {text:?} within {within:?}; it said:\n{log}", self.process.what());
            }
            self.wait_for_write(&writes, deadline)?;
        }
    }

    /// # Errors
    /// When it still runs at the end of the limit.
    pub fn wait_exit(&self, within: Duration) -> Result<ExitStatus> {
        self.process
            .wait_exit(within)?
            .with_context(|| format!("{} still runs after {within:?}:\n{}", self.process.what(), self.log()))
    }

    /// Ends it as `systemctl stop` would: asks, and insists after ten seconds.
    ///
    /// # Errors
    /// When it has already ended.
    pub fn stop(self) -> Result<()> {
        self.signal(Signal::TERM)?;
        self.process.wait_exit(Duration::from_secs(10))?;
        Ok(())
    }

    fn wait_for_write(&self, writes: &rustix::fd::OwnedFd, deadline: Deadline) -> Result<()> {
        let mut sources =
            [PollFd::new(writes, PollFlags::IN), PollFd::new(self.process.pidfd(), PollFlags::IN)];
        match poll(&mut sources, Some(&deadline.poll_timeout())) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if sources[0].revents().contains(PollFlags::IN) {
            let mut events = Vec::with_capacity(4096);
            rustix::io::read(writes, spare_capacity(&mut events))?;
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill();
    }
}

fn watch(log: &Path) -> Result<rustix::fd::OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, log, inotify::WatchFlags::MODIFY)?;
    Ok(watch)
}
