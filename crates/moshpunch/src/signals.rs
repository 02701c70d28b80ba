//! Signals as something to wait for.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::{flag, low_level};

/// Can be read from once somebody wants this process to end.
pub(crate) fn of_the_end() -> Result<UnixStream> {
    told_of(&[SIGTERM, SIGINT, SIGHUP])
}

fn told_of(signals: &[i32]) -> Result<UnixStream> {
    let (told, signalled) = UnixStream::pair()?;
    told.set_nonblocking(true)?;
    for &signal in signals {
        low_level::pipe::register(signal, signalled.try_clone()?)?;
    }
    Ok(told)
}

/// Ctrl-Z, while this process has something to put in order before it stops. Dropped, the kernel's own way holds again.
#[derive(Debug)]
pub(crate) struct JobControl {
    stop: UnixStream,
    goes_on: UnixStream,
    is_over: Arc<AtomicBool>,
}

impl JobControl {
    pub(crate) fn take() -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        flag::register_conditional_default(SIGTSTP, Arc::clone(&is_over))?;
        Ok(Self { stop: told_of(&[SIGTSTP])?, goes_on: told_of(&[SIGCONT])?, is_over })
    }

    pub(crate) fn is_to_stop(&mut self) -> bool {
        self.stop.read(&mut [0; 16]).is_ok()
    }

    /// Whether this process has been stopped, or has come to the foreground, since the last call.
    pub(crate) fn has_gone_on(&mut self) -> bool {
        self.goes_on.read(&mut [0; 16]).is_ok()
    }

    /// Returns once somebody lets this process go on.
    pub(crate) fn stop(&self) {
        if let Err(error) = low_level::emulate_default_handler(SIGTSTP) {
            tracing::debug!(%error, "not stopped");
        }
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        [&self.stop, &self.goes_on].into_iter().map(|told| PollFd::new(told, PollFlags::IN))
    }
}

impl Drop for JobControl {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}
