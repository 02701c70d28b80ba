//! Signals, as this thread takes them.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// What a process in the background would be stopped for does no harm: it may change the terminal that it has
/// (`tcsetattr`(3), POSIX).
///
/// # Errors
///
/// Those of `work`.
pub fn without_stopping<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let done = work();
    before.thread_set_mask()?;
    done
}
