//! HTTP exchanges under way: each has a purpose, a bounded reply and a deadline.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::http::{Progress, Reply, ReplyReader};
use super::url::Url;
use crate::effects::{Exchange, ExchangeId, ExchangeInput};

/// How long one exchange may take from connect to the last byte. Slow home routers need up to two seconds for
/// a SOAP call (syncthing#1657); one that sends a byte a second is cut here.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(4);

/// What ended without a readable reply: refused, reset, cut, too slow, too large, or not HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoReply;

#[derive(Debug)]
struct Running<P> {
    purpose: P,
    reader: ReplyReader,
    deadline: Instant,
}

#[derive(Debug)]
pub(super) struct Exchanges<P> {
    source: IpAddr,
    next: u64,
    running: BTreeMap<ExchangeId, Running<P>>,
    starting: VecDeque<Exchange>,
    closing: VecDeque<ExchangeId>,
}

impl<P> Exchanges<P> {
    pub(super) fn new(source: IpAddr) -> Self {
        Self {
            source,
            next: 0,
            running: BTreeMap::new(),
            starting: VecDeque::new(),
            closing: VecDeque::new(),
        }
    }

    pub(super) fn start(&mut self, url: &Url, request: Vec<u8>, purpose: P, now: Instant) {
        let id = ExchangeId(self.next);
        self.next += 1;
        self.starting.push_back(Exchange {
            id,
            source: self.source,
            destination: url.socket_address(),
            request,
        });
        let deadline = now + EXCHANGE_TIMEOUT;
        self.running.insert(id, Running { purpose, reader: ReplyReader::default(), deadline });
    }

    /// The purpose and the reply of the exchange that this input ended, if it did.
    pub(super) fn handle_input(
        &mut self,
        id: ExchangeId,
        input: ExchangeInput<'_>,
    ) -> Option<(P, Result<Reply, NoReply>)> {
        let running = self.running.get_mut(&id)?;
        let reply = match input {
            ExchangeInput::Received(bytes) => match running.reader.push(bytes) {
                Ok(Progress::More) => return None,
                Ok(Progress::Complete(reply)) => Ok(reply),
                Err(_) => Err(NoReply),
            },
            ExchangeInput::Ended => running.reader.end_of_stream().map_err(|_| NoReply),
            ExchangeInput::Broken => Err(NoReply),
        };
        self.finish(id).map(|purpose| (purpose, reply))
    }

    /// The purpose of one exchange whose time is up; call again until there is none.
    pub(super) fn next_expired(&mut self, now: Instant) -> Option<P> {
        let (&id, _) = self.running.iter().find(|(_, running)| running.deadline <= now)?;
        self.finish(id)
    }

    /// Takes back a question that nobody has begun to ask.
    pub(super) fn take_back(&mut self, is_it: impl Fn(&P) -> bool) -> Option<P> {
        let mut waiting = self.starting.iter().map(|exchange| exchange.id);
        let id = waiting.find(|id| self.running.get(id).is_some_and(|running| is_it(&running.purpose)))?;
        self.starting.retain(|exchange| exchange.id != id);
        self.running.remove(&id).map(|running| running.purpose)
    }

    /// Gives up everything under way.
    pub(super) fn abandon(&mut self) {
        let ids: Vec<_> = self.running.keys().copied().collect();
        for id in ids {
            self.finish(id);
        }
    }

    pub(super) fn poll_start(&mut self) -> Option<Exchange> {
        self.starting.pop_front()
    }

    pub(super) fn poll_close(&mut self) -> Option<ExchangeId> {
        self.closing.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.running.values().map(|running| running.deadline).min()
    }

    fn finish(&mut self, id: ExchangeId) -> Option<P> {
        let running = self.running.remove(&id)?;
        self.starting.retain(|exchange| exchange.id != id);
        self.closing.push_back(id);
        Some(running.purpose)
    }
}
