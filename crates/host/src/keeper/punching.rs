//! mosh-server's socket, as long as it is held, and the openers that go out there.

use std::net::SocketAddr;
use std::time::Instant;

use system::linux::BorrowedSocket;
use wire::opener::Cookie;

use crate::punch::{NoRound, Openers};

pub(super) struct Punching {
    socket: BorrowedSocket,
    openers: Openers,
}

impl Punching {
    pub(super) fn new(socket: BorrowedSocket) -> Self {
        Self { socket, openers: Openers::default() }
    }

    pub(super) fn begin(&mut self, cookie: Cookie, to: &[SocketAddr], now: Instant) -> Result<(), NoRound> {
        self.openers.begin(cookie, to, now)?;
        self.handle_timeout(now);
        Ok(())
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.openers.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
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
