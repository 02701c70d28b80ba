//! How the terminal was before mosh-client had it. One that is killed leaves it raw.

use std::io;

use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// None, where stdin is no terminal.
#[derive(Debug)]
pub(crate) struct TerminalModes(Option<Termios>);

impl TerminalModes {
    pub(crate) fn read() -> Self {
        Self(tcgetattr(io::stdin()).ok())
    }

    /// In the background the terminal is somebody else's.
    pub(crate) fn restore(&self) {
        if let Some(modes) = &self.0
            && tcgetpgrp(io::stdin()) == Ok(getpgrp())
        {
            let _hung_up = tcsetattr(io::stdin(), OptionalActions::Now, modes);
        }
    }
}
