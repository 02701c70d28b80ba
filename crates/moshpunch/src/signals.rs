//! Signals as something to wait for.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use anyhow::Result;
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

/// Can be read from once somebody wants this process to end.
pub(crate) fn of_the_end() -> Result<UnixStream> {
    let (signals, signalled) = UnixStream::pair()?;
    signals.set_nonblocking(true)?;
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, signalled.try_clone()?)?;
    }
    Ok(signals)
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
