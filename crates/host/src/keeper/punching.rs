//! mosh-server's socket, as long as it is held, and the openers that go out there.

use std::net::SocketAddr;
use std::time::Instant;

use rustix::event::PollFd;
use system::linux::BorrowedSocket;
use wire::opener::Cookie;

use super::siblings::{Asked, Siblings};
use crate::punch::{NoRound, Openers};

pub(super) struct Punching {
    socket: BorrowedSocket,
    openers: Openers,
    siblings: Siblings,
}

impl Punching {
    pub(super) fn new(socket: BorrowedSocket) -> Self {
        Self { socket, openers: Openers::default(), siblings: Siblings::default() }
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

    pub(super) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.siblings.descriptors()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.openers.poll_timeout().into_iter().chain(self.siblings.poll_timeout()).min()
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
