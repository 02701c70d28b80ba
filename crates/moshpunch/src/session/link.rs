//! What server and keeper tell each other, a line of JSON each, over a socket pair that nobody else has.

use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Name;
use crate::mosh_server::ProcessIdentity;

/// A few hundred bytes are usual.
const LINE_BYTES_MAXIMUM: usize = 16 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToKeeper {
    /// First of all: look for the gateway.
    Begin {
        name: Name,
        internal: IpAddr,
        gateway: IpAddr,
        /// No other address of this host will do.
        internal_is_fixed: bool,
        lease: Duration,
        budget: Duration,
        log: Option<PathBuf>,
    },
    /// mosh-server is up: map its port.
    Map { process: ProcessIdentity, port: NonZeroU16, first: NonZeroU16, last: NonZeroU16 },
    /// The user has been told this port.
    Told { port: NonZeroU16 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromKeeper {
    Mapped { external_port: NonZeroU16, caution: Option<Failure> },
    NotMapped(Failure),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) cause: String,
    pub(crate) cure: String,
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Link {
    pub(crate) fn new(stream: UnixStream) -> Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub(crate) fn send(&mut self, message: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.stream.write_all(&line).context("the other end of the link is gone")
    }

    /// The next message, if one has arrived whole.
    ///
    /// # Errors
    ///
    /// The other end is gone, or says what nobody understands.
    pub(crate) fn receive<M: DeserializeOwned>(&mut self) -> Result<Option<M>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            let mut buffer = [0; 1024];
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    ensure!(length > 0, "the other end of the link is gone");
                    self.received.extend_from_slice(&buffer[..length]);
                    ensure!(self.received.len() <= LINE_BYTES_MAXIMUM, "an endless line on the link");
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: &str) -> FromKeeper {
        FromKeeper::NotMapped(Failure { cause: cause.into(), cure: String::new() })
    }

    fn received(link: &mut Link) -> Option<String> {
        link.receive::<FromKeeper>().unwrap().map(|message| match message {
            FromKeeper::NotMapped(failure) => failure.cause,
            FromKeeper::Mapped { .. } => panic!("not what was sent"),
        })
    }

    #[test]
    fn messages_arrive_one_by_one_and_then_the_end_is_an_error() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut here, mut there) = (Link::new(here).unwrap(), Link::new(there).unwrap());
        assert_eq!(received(&mut there), None);
        here.send(&failure("first\nline")).unwrap();
        here.send(&failure("second")).unwrap();
        assert_eq!(received(&mut there).as_deref(), Some("first\nline"));
        assert_eq!(received(&mut there).as_deref(), Some("second"));
        assert_eq!(received(&mut there), None);
        drop(here);
        assert!(there.receive::<FromKeeper>().is_err());
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut there = Link::new(there).unwrap();
        here.write_all(&vec![b'x'; LINE_BYTES_MAXIMUM + 1]).unwrap();
        assert!(there.receive::<FromKeeper>().is_err());
    }
}
