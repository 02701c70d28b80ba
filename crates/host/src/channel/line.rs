//! ssh's channel at the host: our stdin and stdout, which are a terminal or pipes.
//!
//! Others have the same descriptions open, such as the login shell that waits for us, so nothing is asked of them: what
//! is written into a pipe is no more than poll(2) has promised room for, and a terminal is opened once more.

use std::io::{self, ErrorKind};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::stdio;
use rustix::termios::{OptionalActions, isatty, tcgetattr, tcsetattr};
use system::signal;

/// The most that is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Of a pipe that can be written to there is room for this much (pipe(7), `PIPE_BUF`).
const PIPE_WRITE_BYTES: usize = 4096;

/// A terminal that can be written to has room for at least one byte, usually for thousands.
const TERMINAL_WRITE_BYTES: usize = 64;

#[derive(Debug)]
pub(super) struct Line {
    input: OwnedFd,
    output: OwnedFd,
    /// The most that is written at once.
    write_bytes: usize,
    unwritten: Vec<u8>,
}

/// What a turn of reading brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(Vec<u8>),
    Nothing,
    End,
}

impl Line {
    /// From now on a terminal passes on what comes as it is, and echoes nothing.
    ///
    /// # Errors
    ///
    /// stdin or stdout is not open, or the terminal does not take the modes.
    pub(super) fn open() -> io::Result<Self> {
        let (input, output) = (stdio::stdin(), stdio::stdout());
        if isatty(input) {
            signal::without_stopping(|| make_raw(input))?;
        }
        let input = own_description(input, "/proc/self/fd/0")?.0;
        let (output, write_bytes) = own_description(output, "/proc/self/fd/1")?;
        Ok(Self { input, output, write_bytes, unwritten: Vec::new() })
    }

    pub(super) fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Once the one before [is written](Self::is_written).
    pub(super) fn say(&mut self, line: String) {
        self.unwritten = line.into_bytes();
    }

    /// As much as there is room for, once [`output`](Self::output) is ready for it.
    ///
    /// # Errors
    ///
    /// Nobody reads it any more.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let length = self.unwritten.len().min(self.write_bytes);
        match rustix::io::write(&self.output, &self.unwritten[..length]) {
            Ok(written) => drop(self.unwritten.drain(..written)),
            Err(error) if is_nothing(error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Once [`input`](Self::input) is ready.
    pub(super) fn read(&self) -> Read {
        let mut bytes = vec![0; READ_BYTES];
        match rustix::io::read(&self.input, &mut bytes) {
            Ok(length @ 1..) => {
                bytes.truncate(length);
                Read::Bytes(bytes)
            }
            Err(error) if is_nothing(error) => Read::Nothing,
            // A terminal that is hung up has an error at its end.
            Ok(0) | Err(_) => Read::End,
        }
    }

    pub(super) fn input(&self) -> PollFd<'_> {
        PollFd::new(&self.input, PollFlags::IN)
    }

    /// Tells in any case when nobody reads any more.
    pub(super) fn output(&self) -> PollFd<'_> {
        PollFd::new(&self.output, if self.is_written() { PollFlags::empty() } else { PollFlags::OUT })
    }
}

fn is_nothing(error: Errno) -> bool {
    [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind())
}

fn make_raw(terminal: BorrowedFd<'_>) -> io::Result<()> {
    let mut modes = tcgetattr(terminal)?;
    modes.make_raw();
    Ok(tcsetattr(terminal, OptionalActions::Now, &modes)?)
}

/// And how much may be written to it at once.
fn own_description(descriptor: BorrowedFd<'_>, path: &str) -> io::Result<(OwnedFd, usize)> {
    let shared = || descriptor.try_clone_to_owned();
    if !isatty(descriptor) {
        return Ok((shared()?, PIPE_WRITE_BYTES));
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(own) => Ok((own, usize::MAX)),
        Err(_) => Ok((shared()?, TERMINAL_WRITE_BYTES)),
    }
}
