//! Signals, as this thread takes them.

use std::io;

use nix::sys::signal::{SigSet, Signal};

/// From now on a terminal whose foreground is another process does not stop this one: it may set the modes, and what it
/// reads is an error (`tcsetattr`(3), `read`(3), POSIX). What it starts later inherits that.
///
/// # Errors
///
/// The system refuses.
pub fn never_stop_for_a_terminal() -> io::Result<()> {
    let stopping = SigSet::from_iter([Signal::SIGTTIN, Signal::SIGTTOU]);
    Ok(stopping.thread_block()?)
}
