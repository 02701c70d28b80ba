//! What the host reads: by a terminal of ours, where it is given one, else as by a pipe.

use std::fs::File;
use std::io::{self, Write as _};

use rustix::event::{PollFd, PollFlags};
use system::OneWay;

#[derive(Debug)]
pub(crate) enum Input {
    Terminal(File),
    Pipe(OneWay),
}

impl Input {
    /// How many bytes were taken, at once: none, where there is no room.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self {
            Self::Terminal(terminal) => terminal.write(bytes),
            Self::Pipe(pipe) => pipe.write(bytes),
        };
        match written {
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => {
                Ok(0)
            }
            other => other,
        }
    }

    /// Has room again.
    pub(crate) fn room(&self) -> PollFd<'_> {
        match self {
            Self::Terminal(terminal) => PollFd::new(terminal, PollFlags::OUT),
            Self::Pipe(pipe) => PollFd::new(pipe, PollFlags::OUT),
        }
    }
}
