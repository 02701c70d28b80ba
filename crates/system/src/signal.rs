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

/// While it is there, a terminal's hang-up does nothing to this process; one that has come does it then.
#[derive(Debug)]
pub struct HangUpPutOff(SigSet);

impl HangUpPutOff {
    /// For this thread, where there is no other.
    #[must_use]
    pub fn begin() -> Self {
        let before = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
        let _as_before = SigSet::from_iter([Signal::SIGHUP]).thread_block();
        Self(before)
    }
}

impl Drop for HangUpPutOff {
    fn drop(&mut self) {
        let _put_off = self.0.thread_set_mask();
    }
}
