//! A terminal of our own, for a program that behaves otherwise where it has none. Nobody's controlling terminal: what
//! the program asks on /dev/tty, it still asks the user.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

/// Both ends of one.
#[derive(Debug)]
pub struct PseudoTerminal {
    /// Read and written without waiting.
    pub ours: File,
    pub theirs: OwnedFd,
}

impl PseudoTerminal {
    /// With the modes that the kernel gives to any, as sshd's own have them, and the size of the user's window.
    ///
    /// # Errors
    ///
    /// The system has no terminal to give.
    pub fn open() -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let ours = openpt(flags).context("a pseudo-terminal")?;
        fcntl_setfd(&ours, FdFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let theirs = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty());
        let theirs = theirs.context("the line of a pseudo-terminal")?;
        if let Ok(size) = tcgetwinsize(io::stderr()) {
            tcsetwinsize(&ours, size)?;
        }
        set_nonblocking(&ours)?;
        Ok(Self { ours: ours.into(), theirs })
    }

    /// What is written comes as it is, and nothing is echoed.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_raw() -> Result<Self> {
        let terminal = Self::open()?;
        let mut modes = tcgetattr(&terminal.theirs)?;
        modes.make_raw();
        tcsetattr(&terminal.theirs, OptionalActions::Now, &modes)?;
        Ok(terminal)
    }
}

/// Reading and writing return at once, for whoever has the same description open.
///
/// # Errors
///
/// It is not open.
pub fn set_nonblocking(descriptor: impl AsFd) -> rustix::io::Result<()> {
    fcntl_setfl(&descriptor, fcntl_getfl(&descriptor)? | OFlags::NONBLOCK)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_a_program_writes_comes_as_it_is_and_then_the_end() {
        let PseudoTerminal { mut ours, theirs } = PseudoTerminal::open_raw().unwrap();
        rustix::io::write(&theirs, b"a\r\nb\nc").unwrap();
        drop(theirs);
        let mut bytes = [0; 16];
        let length = ours.read(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"a\r\nb\nc");
        assert!(ours.read(&mut bytes).is_err());
    }

    #[test]
    fn what_nobody_reads_is_not_waited_for() {
        let mut terminal = PseudoTerminal::open().unwrap();
        let error = terminal.ours.read(&mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
