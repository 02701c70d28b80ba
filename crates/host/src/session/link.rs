//! What server and keeper tell each other, a line of JSON each, over a socket pair that nobody else has or by
//! [`Socket`](super::Socket). A descriptor may come with a line (unix(7), `SCM_RIGHTS`).

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use net::clock;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recv, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use wire::Bind;
use wire::opener::Cookie;

use super::Name;
use crate::cause::Trouble;
use crate::mosh_server::ProcessIdentity;
use crate::punch::NoRound;
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
    /// With it comes mosh-server's socket, to be held as long as that process lives.
    Lend,
    /// The user has been told this port, and will not hear of another.
    Told { port: NonZeroU16 },
    /// A datagram has come by the channel of this login: those of older ones are of no use any more.
    Delivered,
    /// Send openers to these from mosh-server's socket.
    Punch {
        round: u32,
        #[serde(with = "digits")]
        cookie: Cookie,
        to: Vec<SocketAddr>,
        /// Servers that can tell from where they come.
        #[serde(default)]
        stun: Vec<SocketAddr>,
    },
}

/// A cookie as [`wire`] writes it.
mod digits {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use wire::opener::Cookie;

    pub(super) fn serialize<S: Serializer>(cookie: &Cookie, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(cookie)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cookie, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
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
        /// As in the [state file](super::StateFile).
        #[serde(default)]
        punches: bool,
        /// Of mosh-server's socket, in either direction, in seconds since 1970; may be told up to half a minute late.
        #[serde(default)]
        last_traffic: Option<u64>,
    },
    /// A gateway answers, or is known to; how long it takes for the mapping is another question.
    Hears,
    Answer(Answer),
    /// Of the keeper's own.
    Trouble(Trouble),
    /// The laptop has come by another login.
    Superseded,
    /// Openers are under way, and come from one of these, as far as is known; once more for each address that is learnt later.
    /// To the login that has asked alone.
    Punched {
        round: u32,
        outcome: Result<Vec<SocketAddr>, NoRound>,
    },
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

impl Mapped {
    /// Where it is reached.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.external_address?, self.external_port.get()))
    }
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: UnixStream,
    received: Vec<u8>,
    /// What came with the message that is not yet whole.
    descriptor: Option<OwnedFd>,
}

impl Link {
    pub(crate) fn new(stream: UnixStream) -> Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), descriptor: None })
    }

    pub(crate) fn send(&mut self, message: &impl Serialize) -> Result<()> {
        self.write(&line(message)?).context("the other end of the link is gone")
    }

    /// With it goes a copy of `descriptor`.
    pub(crate) fn send_with(&mut self, message: &impl Serialize, descriptor: BorrowedFd<'_>) -> Result<()> {
        let line = line(message)?;
        let sent = self.pass(&line, descriptor).and_then(|sent| self.write(&line[sent..]));
        sent.context("the other end of the link is gone")
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// How many of the bytes have gone with it.
    fn pass(&self, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [descriptor];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        Ok(sendmsg(&self.stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
    }

    /// The next message, if one has arrived whole.
    ///
    /// # Errors
    ///
    /// The other end is gone, or says what nobody understands.
    pub(crate) fn receive<M: DeserializeOwned>(&mut self) -> Result<Option<M>> {
        Ok(self.receive_with()?.map(|(message, _)| message))
    }

    /// As [`receive`](Self::receive), and what came with it.
    pub(crate) fn receive_with<M: DeserializeOwned>(&mut self) -> Result<Option<(M, Option<OwnedFd>)>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let descriptor = self.descriptor.take();
                return Ok(Some((serde_json::from_slice(&line)?, descriptor)));
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
    /// through one that is read already. So what comes with a line is the line's, too: the kernel hands it out with the first
    /// byte that it was sent with.
    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 1024];
        let (arrived, _) = recv(&self.stream, &mut buffer[..], RecvFlags::PEEK)?;
        let end = buffer[..arrived].iter().position(|byte| *byte == b'\n');
        let wanted = &mut buffer[..end.map_or(arrived, |end| end + 1)];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let length =
            recvmsg(&self.stream, &mut [IoSliceMut::new(wanted)], &mut control, RecvFlags::CMSG_CLOEXEC)?
                .bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptor = descriptors.last();
            }
        }
        self.received.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

fn line(message: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

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

    fn with(link: &mut Link) -> (String, Option<OwnedFd>) {
        let (message, descriptor) = link.receive_with::<Answer>().unwrap().unwrap();
        (message.outcome.expect_err("what was sent").cause.what(), descriptor)
    }

    #[test]
    fn a_descriptor_comes_with_its_own_message_and_none_is_lost() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut here, mut there) = (Link::new(here).unwrap(), Link::new(there).unwrap());
        let (mut reader, writer) = io::pipe().unwrap();
        // Longer than what is read at once.
        let long = "x".repeat(4_000);
        here.send(&failure("before")).unwrap();
        here.send_with(&failure(&long), writer.as_fd()).unwrap();
        here.send(&failure("behind")).unwrap();
        here.send_with(&failure("unwanted"), writer.as_fd()).unwrap();
        drop(writer);
        assert!(matches!(with(&mut there), (text, None) if text == "before"));
        let (text, lent) = with(&mut there);
        assert_eq!(text, long);
        assert!(matches!(with(&mut there), (text, None) if text == "behind"));
        assert_eq!(received(&mut there).as_deref(), Some("unwanted"));
        let lent = lent.expect("what was lent");
        assert!(rustix::io::fcntl_getfd(&lent).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        rustix::io::write(&lent, b"lent").unwrap();
        drop(lent);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "lent", "no copy is left anywhere");
    }

    #[test]
    fn of_many_descriptors_few_are_kept() {
        let (here, there) = UnixStream::pair().unwrap();
        let (here, mut there) = (Link::new(here).unwrap(), Link::new(there).unwrap());
        let (mut reader, writer) = io::pipe().unwrap();
        for _ in 0..100 {
            assert_eq!(here.pass(b"x", writer.as_fd()).unwrap(), 1);
            assert!(matches!(there.receive_with::<Answer>(), Ok(None)));
        }
        drop(writer);
        rustix::io::write(there.descriptor.take().unwrap(), b"x").unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0, "one was kept");
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut there = Link::new(there).unwrap();
        here.write_all(&vec![b'x'; LINE_BYTES_MAXIMUM + 1]).unwrap();
        assert!(there.receive::<Answer>().is_err());
    }
}
