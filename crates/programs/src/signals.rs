//! Signals as something to wait for.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;
use signal_hook::consts::SIGTSTP;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::low_level;
use system::wait::wait_for;

/// As signal(7) calls it, such as "SIGKILL".
pub fn name(signal: i32) -> Option<&'static str> {
    low_level::signal_name(signal)
}

/// Those of some signals that have come. Many of a kind are one.
#[derive(Debug)]
pub struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    /// The end that is read, closed only when nothing is delivered any more: a handler that writes to nobody gets SIGPIPE,
    /// and where that has a handler, too, it never comes to an end.
    _open: UnixStream,
}

impl Signals {
    /// From now on they no longer do what they do by default.
    ///
    /// # Errors
    ///
    /// The system gives no sockets, or has a signal that cannot be caught.
    pub fn of(signals: &[Signal]) -> Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let open = read.try_clone()?;
        let numbers = signals.iter().map(|signal| signal.as_raw());
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, numbers)?;
        Ok(Self { delivery, _open: open })
    }

    /// By which somebody wants this process to end.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub fn of_the_end() -> Result<Self> {
        Self::of(&[Signal::TERM, Signal::INT, Signal::HUP])
    }

    /// Since the last call.
    pub fn pending(&mut self) -> impl Iterator<Item = Signal> {
        // A forwarder asks after each datagram, and to go through all signals there are takes longer than to pass one on.
        let come = self.is_told().then(|| self.delivery.pending());
        come.into_iter().flatten().filter_map(Signal::from_named_raw)
    }

    /// Each is kept before it is told.
    fn is_told(&self) -> bool {
        let mut told = [PollFd::new(self, PollFlags::IN)];
        wait_for(&mut told, Some(Duration::ZERO)).is_err() || !told[0].revents().is_empty()
    }

    /// Whether any has come since the last call.
    pub fn have_come(&mut self) -> bool {
        self.pending().count() > 0
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }
}

/// Ctrl-Z, while this process has something to put in order before it stops.
#[derive(Debug)]
pub struct JobControl {
    stop: Signals,
    goes_on: Signals,
}

impl JobControl {
    /// From now on Ctrl-Z stops this process by [`Self::stop`] alone.
    ///
    /// # Errors
    ///
    /// As [`Signals::of`].
    pub fn take() -> Result<Self> {
        Ok(Self { stop: Signals::of(&[Signal::TSTP])?, goes_on: Signals::of(&[Signal::CONT])? })
    }

    /// Whether Ctrl-Z has come since the last call.
    pub fn is_to_stop(&mut self) -> bool {
        self.stop.have_come()
    }

    /// Whether this process has been stopped, or has come to the foreground, since the last call.
    pub fn has_gone_on(&mut self) -> bool {
        self.goes_on.have_come()
    }

    /// Returns once somebody lets this process go on.
    pub fn stop(&self) {
        if let Err(error) = low_level::emulate_default_handler(SIGTSTP) {
            tracing::debug!(%error, "not stopped");
        }
    }

    /// Can be read when one of the two has come.
    pub fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        [&self.stop, &self.goes_on].into_iter().map(|signals| PollFd::new(signals, PollFlags::IN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_has_come_is_told_once() {
        let signals = [Signal::URG, Signal::WINCH];
        let mut told = Signals::of(&signals).unwrap();
        assert!(!told.have_come());
        for _ in 0..2 {
            signals.iter().for_each(|signal| low_level::raise(signal.as_raw()).unwrap());
            assert!(told.is_told());
            assert_eq!(told.pending().count(), signals.len());
            assert!(!told.have_come());
        }
    }
}
