//! HTTP exchanges: one at a time with each server, each with a purpose, a bounded reply and a deadline.
//!
//! Many routers serve one connection and reset, or keep waiting, whoever comes meanwhile. So what is to be asked of a
//! server that is busy with us waits for its turn, and its time begins when it is sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::http::{Progress, Reply, ReplyReader};
use super::url::Url;
use crate::effects::{Exchange, ExchangeId, ExchangeInput};

/// How long one exchange may take from connect to the last byte, with a server that was not heard before; one that
/// sends a byte a second is cut here.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(4);

/// The same with one that has answered: slow home routers need two seconds for a SOAP call (syncthing#1657), or three,
/// and serve others before us. What they are given up for they do all the same. miniupnpc waits 5 s for each piece.
pub const EXCHANGE_TIMEOUT_ONCE_HEARD: Duration = Duration::from_secs(6);

/// For so long nothing has come, and what is there is a whole document: no more will come, whatever length was told.
const HEARD_OUT: Duration = Duration::from_millis(500);

/// Each restart of a gateway may give it another port.
const HEARD_MAXIMUM: usize = 16;

/// How long a server is left alone that has closed a connection without a word: it may be busy with another host.
const PAUSE_AFTER_A_BREAK: Duration = Duration::from_millis(250);

/// The same between all questions to one that has done so: it may not be done with an answer as soon as we are.
const PAUSE_BETWEEN: Duration = Duration::from_millis(50);

/// What ended without a readable reply: refused, reset, cut, too slow, too large, or not HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoReply;

/// What becomes of a question whose connection broke before anything came back. The server may have done what it was
/// asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfBroken {
    AskOnceMore,
    Tell,
}

#[derive(Debug)]
struct Question<P> {
    purpose: P,
    destination: SocketAddr,
    request: Vec<u8>,
    if_broken: IfBroken,
    patience: Duration,
}

#[derive(Debug)]
struct Waiting<P> {
    question: Question<P>,
    not_before: Instant,
}

#[derive(Debug)]
struct Running<P> {
    question: Question<P>,
    reader: ReplyReader,
    heard: bool,
    deadline: Instant,
    /// When what has come so far is looked at, should nothing more come.
    heard_out: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Exchanges<P> {
    source: IpAddr,
    next: u64,
    /// In the order in which they are to be asked.
    waiting: VecDeque<Waiting<P>>,
    running: BTreeMap<ExchangeId, Running<P>>,
    /// Those that have answered, the last at the end.
    heard: VecDeque<SocketAddr>,
    /// Those that have cut one off.
    breaking: BTreeSet<SocketAddr>,
    starting: VecDeque<Exchange>,
    closing: VecDeque<ExchangeId>,
}

impl<P> Exchanges<P> {
    pub(super) fn new(source: IpAddr) -> Self {
        Self {
            source,
            next: 0,
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
            heard: VecDeque::new(),
            breaking: BTreeSet::new(),
            starting: VecDeque::new(),
            closing: VecDeque::new(),
        }
    }

    /// Asks as soon as the server is done with what it was asked before, and waits at least so long for the reply.
    pub(super) fn ask(
        &mut self,
        url: &Url,
        request: Vec<u8>,
        purpose: P,
        if_broken: IfBroken,
        patience: Duration,
        now: Instant,
    ) {
        let question = Question { purpose, destination: url.socket_address(), request, if_broken, patience };
        let pause =
            if self.breaking.contains(&question.destination) { PAUSE_BETWEEN } else { Duration::ZERO };
        self.waiting.push_back(Waiting { question, not_before: now + pause });
        self.start_what_can(now);
    }

    /// The purpose and the reply of the exchange that this input ended, if it did.
    pub(super) fn handle_input(
        &mut self,
        id: ExchangeId,
        input: ExchangeInput<'_>,
        now: Instant,
    ) -> Option<(P, Result<Reply, NoReply>)> {
        let running = self.running.get_mut(&id)?;
        let reply = match input {
            ExchangeInput::Received(bytes) => {
                running.heard = true;
                running.heard_out = Some(now + HEARD_OUT);
                match running.reader.push(bytes) {
                    Ok(Progress::More) => return None,
                    Ok(Progress::Complete(reply)) => Ok(reply),
                    Err(_) => Err(NoReply),
                }
            }
            ExchangeInput::Ended => running.reader.end_of_stream().map_err(|_| NoReply),
            ExchangeInput::Broken => running.reader.whole_document().ok_or(NoReply),
        };
        let Running { question, heard, .. } = self.finish(id)?;
        let broken = reply.is_err() && !heard;
        if broken && self.breaking.len() < HEARD_MAXIMUM {
            self.breaking.insert(question.destination);
        }
        match question.if_broken {
            IfBroken::AskOnceMore if broken => {
                let question = Question { if_broken: IfBroken::Tell, ..question };
                self.waiting.push_front(Waiting { question, not_before: now + PAUSE_AFTER_A_BREAK });
                None
            }
            IfBroken::AskOnceMore | IfBroken::Tell => Some(self.conclude(question, reply, now)),
        }
    }

    /// The purpose and the reply of one exchange that has come to its end with the time; call again until there is
    /// none.
    pub(super) fn next_ended(&mut self, now: Instant) -> Option<(P, Result<Reply, NoReply>)> {
        self.start_what_can(now);
        let ids: Vec<_> = self.running.keys().copied().collect();
        ids.into_iter().find_map(|id| self.end_if_due(id, now))
    }

    /// Takes back a question that nobody has begun to ask.
    pub(super) fn take_back(&mut self, is_it: impl Fn(&P) -> bool) -> Option<P> {
        if let Some(at) = self.waiting.iter().position(|waiting| is_it(&waiting.question.purpose)) {
            return self.waiting.remove(at).map(|waiting| waiting.question.purpose);
        }
        let mut starting = self.starting.iter().map(|exchange| exchange.id);
        let is_it = |id: &ExchangeId| self.running.get(id).is_some_and(|it| is_it(&it.question.purpose));
        let id = starting.find(is_it)?;
        self.starting.retain(|exchange| exchange.id != id);
        self.running.remove(&id).map(|running| running.question.purpose)
    }

    /// Gives up everything, under way or not.
    pub(super) fn abandon(&mut self) {
        self.waiting.clear();
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
        let running = self.running.values();
        let running =
            running.map(|running| running.heard_out.map_or(running.deadline, |at| at.min(running.deadline)));
        let mut busy = self.busy();
        let waiting = self.waiting.iter().filter(|waiting| busy.insert(waiting.question.destination));
        running.chain(waiting.map(|waiting| waiting.not_before)).min()
    }

    fn busy(&self) -> BTreeSet<SocketAddr> {
        self.running.values().map(|running| running.question.destination).collect()
    }

    fn start_what_can(&mut self, now: Instant) {
        let mut busy = self.busy();
        let mut index = 0;
        while let Some(waiting) = self.waiting.get(index) {
            // Whoever waits keeps its turn before those behind it.
            let is_first = busy.insert(waiting.question.destination);
            let ready = is_first && waiting.not_before <= now;
            match ready.then(|| self.waiting.remove(index)).flatten() {
                Some(waiting) => self.start(waiting.question, now),
                None => index += 1,
            }
        }
    }

    fn start(&mut self, question: Question<P>, now: Instant) {
        let id = ExchangeId(self.next);
        self.next += 1;
        let (destination, request) = (question.destination, question.request.clone());
        self.starting.push_back(Exchange { id, source: self.source, destination, request });
        let patience = match self.heard.contains(&destination) {
            true => EXCHANGE_TIMEOUT_ONCE_HEARD,
            false => EXCHANGE_TIMEOUT,
        };
        let deadline = now + patience.max(question.patience);
        let running =
            Running { question, reader: ReplyReader::default(), heard: false, deadline, heard_out: None };
        self.running.insert(id, running);
    }

    fn end_if_due(&mut self, id: ExchangeId, now: Instant) -> Option<(P, Result<Reply, NoReply>)> {
        let running = self.running.get_mut(&id)?;
        let is_over = running.deadline <= now;
        let is_due = running.heard_out.take_if(|at| *at <= now).is_some() || is_over;
        let whole = if is_due { running.reader.whole_document() } else { None };
        if whole.is_none() && !is_over {
            return None;
        }
        let Running { question, .. } = self.finish(id)?;
        Some(self.conclude(question, whole.ok_or(NoReply), now))
    }

    fn conclude(
        &mut self,
        question: Question<P>,
        reply: Result<Reply, NoReply>,
        now: Instant,
    ) -> (P, Result<Reply, NoReply>) {
        if reply.is_ok() {
            self.hear(question.destination);
        }
        self.start_what_can(now);
        (question.purpose, reply)
    }

    fn hear(&mut self, server: SocketAddr) {
        self.heard.retain(|heard| *heard != server);
        if self.heard.len() == HEARD_MAXIMUM {
            self.heard.pop_front();
        }
        self.heard.push_back(server);
    }

    fn finish(&mut self, id: ExchangeId) -> Option<Running<P>> {
        let running = self.running.remove(&id)?;
        self.starting.retain(|exchange| exchange.id != id);
        self.closing.push_back(id);
        Some(running)
    }
}

#[cfg(test)]
mod tests;
