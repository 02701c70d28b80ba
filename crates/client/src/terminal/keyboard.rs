//! The user's keys, while the host asks for them.

use std::io::{self, IsTerminal};

use rustix::event::{PollFd, PollFlags};
use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

const READ_BYTES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Keyboard {
    is_terminal: bool,
    /// The user's modes, while others hold.
    usual: Option<Termios>,
}

impl Keyboard {
    pub(crate) fn new() -> Self {
        Self { is_terminal: io::stdin().is_terminal(), usual: None }
    }

    /// From now on keys come one by one, and the host echoes them. Ctrl-C and Ctrl-Z stay ours. A terminal that another
    /// job is using is left alone.
    pub(crate) fn give_to_host(&mut self) {
        if !self.is_terminal || self.usual.is_some() || !is_in_foreground() {
            return;
        }
        let Ok(usual) = tcgetattr(io::stdin()) else { return };
        if tcsetattr(io::stdin(), OptionalActions::Now, &for_host(usual.clone())).is_ok() {
            self.usual = Some(usual);
        }
    }

    pub(crate) fn is_given(&self) -> bool {
        self.usual.is_some()
    }

    pub(crate) fn give_back(&mut self) {
        // Who has taken the terminal from us has modes of its own there.
        if let Some(usual) = self.usual.take().filter(|_| is_in_foreground())
            && let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, &usual)
        {
            tracing::debug!(%error, "the terminal is not as it was");
        }
    }

    /// What has been typed. A terminal that another job uses now, or nobody any more, is not read again.
    pub(crate) fn read(&mut self) -> Vec<u8> {
        if self.usual.is_none() || !is_in_foreground() {
            self.usual = None;
            return Vec::new();
        }
        let mut keys = vec![0; READ_BYTES];
        let length = rustix::io::read(io::stdin(), &mut keys).unwrap_or(0);
        keys.truncate(length);
        keys
    }

    /// Only while the keys are the host's.
    pub(crate) fn descriptor(&self) -> Option<PollFd<'static>> {
        let stdin = rustix::stdio::stdin();
        self.usual.is_some().then(|| PollFd::from_borrowed_fd(stdin, PollFlags::IN))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A read finds what is there, and waits for nothing.
fn for_host(mut modes: Termios) -> Termios {
    modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHONL | LocalModes::IEXTEN;
    modes.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR;
    modes.special_codes[SpecialCodeIndex::VMIN] = 0;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes
}

/// Whoever changes the modes of a terminal from the background is stopped.
fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}
