//! STUN servers, asked from mosh-server's own port: a socket for each, beside the borrowed one, as long as it is asked.

use std::net::SocketAddr;
use std::time::Instant;

use net::random;
use rustix::event::{PollFd, PollFlags};
use system::linux::{BorrowedSocket, Sibling};
use wire::stun::Transaction;

use super::logins::Number;
use crate::punch::Asking;

/// Of one server, in one turn.
const DATAGRAMS_MAXIMUM: usize = 8;

/// No answer is longer (RFC 8489, §6.1: what an IPv6 path takes).
const LONGEST: usize = 1_280;

#[derive(Debug, Default)]
pub(super) struct Siblings {
    asking: Asking,
    sockets: Vec<(SocketAddr, Sibling)>,
    asked: Option<Asked>,
}

/// For whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) by: Number,
    pub(super) round: u32,
}

impl Siblings {
    /// What was asked before is not asked any more. `known` are the origins that were told already.
    pub(super) fn ask(
        &mut self,
        asked: Asked,
        servers: &[SocketAddr],
        known: &[SocketAddr],
        owner: &BorrowedSocket,
        now: Instant,
    ) {
        self.asked = Some(asked);
        self.sockets.clear();
        self.asking.begin(servers, std::iter::from_fn(transaction), known.to_vec(), now);
        for server in self.asking.servers() {
            match Sibling::of(owner, server) {
                Ok(sibling) => self.sockets.push((server, sibling)),
                Err(error) => tracing::debug!(%server, %error, "cannot be asked"),
            }
        }
        self.handle_timeout(now);
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.sockets.iter().map(|(_, sibling)| PollFd::new(sibling, PollFlags::IN))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.asking.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.asking.handle_timeout(now);
        while let Some((server, request)) = self.asking.poll(now) {
            let sibling = self.sockets.iter().find(|(of, _)| *of == server);
            if let Some(Err(error)) = sibling.map(|(_, sibling)| sibling.send(&request)) {
                tracing::debug!(%server, %error, "not asked");
            }
        }
        self.close_those_that_are_done();
    }

    /// For whom it was asked, and the origins that are to be told anew.
    pub(super) fn receive(&mut self) -> Option<(Asked, Vec<SocketAddr>)> {
        let mut told = None;
        let mut buffer = [0; LONGEST];
        for (server, sibling) in &self.sockets {
            for _ in 0..DATAGRAMS_MAXIMUM {
                // Once it is known that nobody listens there it may be asked again all the same.
                let Ok(length) = sibling.receive(&mut buffer) else { break };
                told = self.asking.handle_datagram(&buffer[..length], *server).or(told);
            }
        }
        self.close_those_that_are_done();
        Some((self.asked?, told?))
    }

    fn close_those_that_are_done(&mut self) {
        let asking = &self.asking;
        self.sockets.retain(|(server, _)| asking.asks(*server));
    }
}

/// `None`: the system has no random numbers.
fn transaction() -> Option<Transaction> {
    let mut bytes = [0; 12];
    random::fill(&mut bytes).inspect_err(|error| tracing::debug!(%error)).ok()?;
    Some(Transaction::new(bytes))
}
