//! Signals as something to wait for.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::{SigId, low_level};

/// Can be read from once somebody wants this process to end.
pub(crate) fn of_the_end() -> Result<UnixStream> {
    let (told, signalled) = told()?;
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        low_level::pipe::register(signal, signalled.try_clone()?)?;
    }
    Ok(told)
}

fn told() -> Result<(UnixStream, UnixStream)> {
    let (told, signalled) = UnixStream::pair()?;
    told.set_nonblocking(true)?;
    Ok((told, signalled))
}

/// Ctrl-Z, while this process has something to put in order before it stops.
#[derive(Debug)]
pub(crate) struct JobControl {
    stop: UnixStream,
    goes_on: UnixStream,
    registered: [SigId; 2],
}

impl JobControl {
    pub(crate) fn take() -> Result<Self> {
        let ((stop, stopped), (goes_on, continued)) = (told()?, told()?);
        let registered =
            [low_level::pipe::register(SIGTSTP, stopped)?, low_level::pipe::register(SIGCONT, continued)?];
        Ok(Self { stop, goes_on, registered })
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
        for registered in self.registered {
            low_level::unregister(registered);
        }
    }
}

/// Those of some signals that have come. Many of a kind are one.
#[derive(Debug)]
pub(crate) struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    pub(crate) fn of(signals: &[Signal]) -> Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let numbers = signals.iter().map(|signal| signal.as_raw());
        Ok(Self(SignalDelivery::with_pipe(read, write, SignalOnly, numbers)?))
    }

    pub(crate) fn pending(&mut self) -> impl Iterator<Item = Signal> {
        self.0.pending().filter_map(Signal::from_named_raw)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}
