//! ssh's channel at the host: our stdin and stdout, which are a terminal or pipes.
//!
//! Others have the same descriptions open, such as the login shell that waits for us, so nothing is asked of them: what
//! is written into a pipe is no more than poll(2) has promised room for, and a terminal is opened once more.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

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
        Self::of(stdio::stdin(), stdio::stdout())
    }

    fn of(input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> io::Result<Self> {
        if isatty(input) {
            signal::never_stop_for_a_terminal()?;
            make_raw(input)?;
        }
        let (input, _) = own_description(input)?;
        let (output, write_bytes) = own_description(output)?;
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
            // A terminal that is hung up, or has another process in the foreground, has an error at its end.
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
fn own_description(descriptor: BorrowedFd<'_>) -> io::Result<(OwnedFd, usize)> {
    let shared = || descriptor.try_clone_to_owned();
    if !isatty(descriptor) {
        return Ok((shared()?, PIPE_WRITE_BYTES));
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match open(format!("/proc/self/fd/{}", descriptor.as_raw_fd()), flags, Mode::empty()) {
        Ok(own) => Ok((own, usize::MAX)),
        Err(_) => Ok((shared()?, TERMINAL_WRITE_BYTES)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use net::wait::wait_for;
    use programs::pseudo_terminal::PseudoTerminal;
    use rustix::fs::fcntl_getfl;

    use super::*;

    const PLENTY: Duration = Duration::from_secs(10);

    fn is_ready(descriptor: PollFd<'_>) -> bool {
        let mut descriptors = [descriptor];
        wait_for(&mut descriptors, Some(Duration::ZERO)).unwrap();
        !descriptors[0].revents().is_empty()
    }

    fn read(mut from: &File, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            wait_for(&mut [PollFd::new(&from, PollFlags::IN)], Some(PLENTY)).unwrap();
            filled += from.read(&mut bytes[filled..]).unwrap();
        }
        bytes
    }

    #[test]
    fn a_terminal_passes_on_what_comes_as_it_is_and_echoes_nothing() {
        let PseudoTerminal { ours, theirs } = PseudoTerminal::open().unwrap();
        let flags = fcntl_getfl(&theirs).unwrap();
        let mut line = Line::of(theirs.as_fd(), theirs.as_fd()).unwrap();
        let all: Vec<u8> = (0..=255).collect();
        (&ours).write_all(&all).unwrap();
        wait_for(&mut [line.input()], Some(PLENTY)).unwrap();
        assert_eq!(line.read(), Read::Bytes(all));
        assert_eq!(line.read(), Read::Nothing);
        line.say("MOSHPUNCH PING 1\n".into());
        line.write().unwrap();
        assert_eq!(read(&ours, 17), b"MOSHPUNCH PING 1\n", "neither an echo nor a carriage return");
        assert_eq!(fcntl_getfl(&theirs).unwrap(), flags, "others have that description open");
        drop(ours);
        assert_eq!(line.read(), Read::End);
        line.say("x".into());
        assert!(line.write().is_err());
    }

    #[test]
    fn nobody_is_waited_for_who_does_not_read() {
        let PseudoTerminal { ours, theirs } = PseudoTerminal::open_raw().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let (idle, _idle) = io::pipe().unwrap();
        for mut line in [
            Line::of(theirs.as_fd(), theirs.as_fd()).unwrap(),
            Line::of(idle.as_fd(), writer.as_fd()).unwrap(),
        ] {
            line.say("x".repeat(1 << 20));
            while is_ready(line.output()) {
                line.write().unwrap();
            }
            assert!(!line.is_written());
        }
        drop((ours, reader));
    }
}
