//! mosh-server's socket, as long as it is held, and the openers that go out there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::PollFd;
use system::linux::BorrowedSocket;
use wire::opener::Cookie;

use super::siblings::{Asked, Siblings};
use super::traffic::Traffic;
use crate::punch::{NoRound, Openers};

pub(super) struct Punching {
    socket: BorrowedSocket,
    openers: Openers,
    siblings: Siblings,
    /// `None`: the kernel notes none.
    traffic: Option<Traffic>,
}

impl Punching {
    pub(super) fn new(socket: BorrowedSocket, now: Instant) -> Self {
        let traffic = Traffic::of(&socket, now);
        let traffic = traffic.inspect_err(|error| tracing::debug!(%error, "traffic is not noted")).ok();
        Self { socket, openers: Openers::default(), siblings: Siblings::default(), traffic }
    }

    pub(super) fn begin(&mut self, cookie: Cookie, to: &[SocketAddr], now: Instant) -> Result<(), NoRound> {
        self.openers.begin(cookie, to, now)?;
        self.handle_timeout(now);
        Ok(())
    }

    /// The servers, from where openers come that were said to come from `known`.
    pub(super) fn ask(&mut self, asked: Asked, servers: &[SocketAddr], known: &[SocketAddr], now: Instant) {
        self.siblings.ask(asked, servers, known, &self.socket, now);
    }

    /// See [`Siblings::receive`].
    pub(super) fn receive(&mut self) -> Option<(Asked, Vec<SocketAddr>)> {
        self.siblings.receive()
    }

    pub(super) fn descriptors(&self, now: Instant) -> impl Iterator<Item = PollFd<'_>> {
        let traffic = self.traffic.iter().filter_map(move |traffic| traffic.descriptor(now));
        self.siblings.descriptors().chain(traffic)
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let traffic = self.traffic.as_ref().and_then(|traffic| traffic.poll_timeout(now));
        self.openers.poll_timeout().into_iter().chain(self.siblings.poll_timeout()).chain(traffic).min()
    }

    /// For how long mosh-server's socket has not been used, of which up to half a minute may be missing.
    pub(super) fn without_traffic(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.traffic.as_ref()?.last()?))
    }

    pub(super) fn look_at_traffic(&mut self, now: Instant) {
        self.traffic.iter_mut().for_each(|traffic| traffic.look(now));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.siblings.handle_timeout(now);
        while let Some((opener, targets)) = self.openers.poll(now) {
            for &target in targets {
                if let Err(error) = self.socket.send(&opener, target) {
                    tracing::debug!(%target, %error, "no opener");
                }
            }
        }
    }

    /// An unspecified address is any.
    pub(super) fn bound(&self) -> SocketAddr {
        self.socket.address()
    }
}
