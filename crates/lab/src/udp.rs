//! A hand-held UDP socket in a host, to see what the network does to single datagrams.

use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::host::Host;
use crate::wait::Deadline;

/// Sends and receives short texts.
#[derive(Debug)]
pub struct UdpPeer {
    name: String,
    socket: UdpSocket,
}

impl Host {
    /// A socket bound to `address`, such as `0.0.0.0:0` or `[2001:db8::1]:7000`. It stays in this host's network.
    ///
    /// # Errors
    /// When the address is not this host's, or taken.
    pub fn udp(&self, address: &str) -> Result<UdpPeer> {
        let name = format!("{} at {address}", self.name());
        let binding = || UdpSocket::bind(address).with_context(|| format!("binding {name}"));
        let socket = self.inside(binding)?;
        Ok(UdpPeer { name, socket })
    }
}

impl UdpPeer {
    /// # Errors
    /// When the kernel does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// # Errors
    /// When the host knows no way there.
    pub fn send(&self, text: &str, to: impl ToSocketAddrs) -> Result<()> {
        self.socket.send_to(text.as_bytes(), to).with_context(|| format!("{} sends {text:?}", self.name))?;
        Ok(())
    }

    /// The next datagram, and where it seems to come from.
    ///
    /// # Errors
    /// When none comes within the limit.
    pub fn receive(&self, within: Duration) -> Result<(String, SocketAddr)> {
        self.receive_if_any(within)?.with_context(|| format!("{} received nothing in {within:?}", self.name))
    }

    /// As [`receive`](Self::receive), and `None` when nothing comes.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive_if_any(&self, within: Duration) -> Result<Option<(String, SocketAddr)>> {
        self.socket.set_read_timeout(Some(within))?;
        let mut datagram = [0; 2048];
        match self.socket.recv_from(&mut datagram) {
            Ok((length, from)) => Ok(Some((String::from_utf8_lossy(&datagram[..length]).into_owned(), from))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(error) => bail!("{} cannot receive: {error}", self.name),
        }
    }

    /// Whether a datagram to `address` arrives at `peer`, or comes back as undeliverable (ICMP, port unreachable). From then
    /// on this socket is connected to that address.
    ///
    /// # Errors
    /// When neither happens within the limit: silence says nothing on a busy machine.
    pub fn reaches(&self, peer: &Self, address: impl ToSocketAddrs, within: Duration) -> Result<bool> {
        let deadline = Deadline::after(within);
        self.socket.connect(address)?;
        let knock = format!("knock of {}", self.address()?);
        self.socket.send(knock.as_bytes())?;
        loop {
            let mut sources =
                [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&peer.socket, PollFlags::IN)];
            match poll(&mut sources, Some(&deadline.poll_timeout())) {
                Ok(0) => bail!("{} heard nothing of its {knock:?} within {within:?}", self.name),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [refused, arrived] = sources.map(|source| !source.revents().is_empty());
            if arrived && peer.receive(within)?.0 == knock {
                return Ok(true);
            }
            if refused {
                let error = self.socket.take_error()?.context("an answer, and no refusal")?;
                ensure!(error.kind() == ErrorKind::ConnectionRefused, "{}: {error}", self.name);
                return Ok(false);
            }
        }
    }

    /// Asks `peer` and has it answer to where the question seemed to come from: how long the two took together.
    ///
    /// # Errors
    /// When either does not arrive within the limit.
    pub fn round_trip(&self, peer: &Self, address: impl ToSocketAddrs, within: Duration) -> Result<Duration> {
        let start = crate::wait::now();
        self.send("question", address)?;
        let (_question, from) = peer.receive(within)?;
        peer.send("answer", from)?;
        self.receive(within)?;
        Ok(start.elapsed())
    }
}
