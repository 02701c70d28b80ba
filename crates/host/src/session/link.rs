//! What server and keeper tell each other, a line of JSON each, over a socket pair that nobody else has or by [`Socket`](super::Socket).

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use net::clock;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{RecvFlags, recv};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use wire::Bind;

use super::Name;
use crate::cause::Trouble;
use crate::mosh_server::ProcessIdentity;
use crate::ssh_connection::SshConnection;

/// A few hundred bytes are usual.
const LINE_BYTES_MAXIMUM: usize = 16 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToKeeper {
    /// First of all: look for the gateways.
    Begin {
        name: Name,
        toward: Vec<Toward>,
        /// By which a keeper that stays, whatever it finds, looks for gateways again.
        stays: Option<Listens>,
        lease: Duration,
        budget: Duration,
        log: Option<PathBuf>,
    },
    /// mosh-server is up: map its port.
    Map { process: ProcessIdentity, port: NonZeroU16, ports: RangeInclusive<NonZeroU16> },
    /// The user has been told this port, and will not hear of another.
    Told { port: NonZeroU16 },
    /// A datagram has come by the channel of this login: those of older ones are of no use any more.
    Delivered,
}

/// Where a session listens, by which it is known what it needs of gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listens {
    #[serde(with = "BindAsToldToAKeeper")]
    pub(crate) bind: Bind,
    pub(crate) ssh: Option<SshConnection>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Bind")]
enum BindAsToldToAKeeper {
    Any,
    Ssh,
    Address(String),
}

/// This host as a gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Toward {
    pub(crate) gateway: IpAddr,
    pub(crate) internal: IpAddr,
    /// mosh-server listens on that address only, so no other will ever do.
    pub(crate) internal_is_fixed: bool,
}

impl Toward {
    pub(crate) fn opening(&self) -> Opening {
        if self.internal.is_ipv6() { Opening::Pinhole } else { Opening::Mapping }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromKeeper {
    /// To a later login, first of all: what the keeper is of.
    Session {
        process: ProcessIdentity,
        port: NonZeroU16,
    },
    /// A gateway answers, or is known to; how long it takes for the mapping is another question.
    Hears,
    Answer(Answer),
    /// Of the keeper's own.
    Trouble(Trouble),
    /// The laptop has come by another login.
    Superseded,
}

/// One for each [`Toward`] that could be begun with; another one follows where the first told no external address.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) opening: Opening,
    pub(crate) outcome: Result<Mapped, Trouble>,
    /// Whether another is still under way.
    pub(crate) more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Opening {
    Mapping,
    /// In an IPv6 firewall.
    Pinhole,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mapped {
    /// As far as the gateway tells.
    pub(crate) external_address: Option<IpAddr>,
    pub(crate) external_port: NonZeroU16,
    pub(crate) caution: Option<Trouble>,
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
            match self.read() {
                Ok(length) => {
                    ensure!(length > 0, "the other end of the link is gone");
                    ensure!(self.received.len() <= LINE_BYTES_MAXIMUM, "an endless line on the link");
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// As [`receive`](Self::receive), but waits for it, no longer than `patience`.
    pub(crate) fn receive_within<M: DeserializeOwned>(&mut self, patience: Duration) -> Result<Option<M>> {
        let deadline = clock::now() + patience;
        loop {
            let message = self.receive()?;
            if message.is_some() || clock::now() >= deadline {
                return Ok(message);
            }
            wait(&mut [PollFd::new(self, PollFlags::IN)], Some(deadline))?;
        }
    }

    /// No further than to the end of a line: whoever waits for the next message waits for the stream, and would sleep
    /// through one that is read already.
    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 1024];
        let (arrived, _) = recv(&self.stream, &mut buffer[..], RecvFlags::PEEK)?;
        let end = buffer[..arrived].iter().position(|byte| *byte == b'\n');
        let length = self.stream.read(&mut buffer[..end.map_or(arrived, |end| end + 1)])?;
        self.received.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use net::wait::wait_for;
    use report::Explain;

    use super::*;
    use crate::cause::Cause;

    fn failure(cause: &str) -> Answer {
        let failure = Cause::Broken(cause.into()).trouble();
        Answer { opening: Opening::Mapping, outcome: Err(failure), more: false }
    }

    fn received(link: &mut Link) -> Option<String> {
        let message = link.receive::<Answer>().unwrap();
        message.map(|message| message.outcome.expect_err("what was sent").cause.what())
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
        assert!(there.receive::<Answer>().is_err());
    }

    fn is_readable(link: &Link) -> bool {
        let mut descriptors = [PollFd::new(link, PollFlags::IN)];
        wait_for(&mut descriptors, Some(Duration::ZERO)).unwrap();
        !descriptors[0].revents().is_empty()
    }

    #[test]
    fn a_message_that_came_together_with_another_is_still_to_be_waited_for() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut here, mut there) = (Link::new(here).unwrap(), Link::new(there).unwrap());
        here.send(&failure("first")).unwrap();
        here.send(&failure("second")).unwrap();
        assert_eq!(received(&mut there).as_deref(), Some("first"));
        assert!(is_readable(&there));
        assert_eq!(received(&mut there).as_deref(), Some("second"));
        assert!(!is_readable(&there));
        here.stream.write_all(b"half a line").unwrap();
        assert_eq!(received(&mut there), None);
        assert!(!is_readable(&there), "nobody spins meanwhile");
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut there = Link::new(there).unwrap();
        here.write_all(&vec![b'x'; LINE_BYTES_MAXIMUM + 1]).unwrap();
        assert!(there.receive::<Answer>().is_err());
    }
}
