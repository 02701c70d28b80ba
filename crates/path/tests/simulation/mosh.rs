//! What matters here of mosh-client and mosh-server 1.4.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use path::Reply;

const HEARTBEAT: Duration = Duration::from_secs(3);
const RETRANSMISSION: Duration = Duration::from_secs(1);
const RETRANSMITS: Duration = Duration::from_secs(10);
const ACKNOWLEDGES: Duration = Duration::from_millis(100);
const ECHO: Duration = Duration::from_millis(10);
const TIMESTAMP_LASTS: Duration = Duration::from_secs(1);
const FORGETS: Duration = Duration::from_secs(40);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram {
    pub(crate) sequence: u64,
    /// Of the newest state: keys typed and windows sized.
    pub(crate) state: usize,
    /// Of the client's: the server's newest state that it has seen.
    pub(crate) acknowledges: usize,
    pub(crate) timestamp: Instant,
    /// Of the server's: the timestamp of what it has heard, advanced by how long it has held it.
    pub(crate) timestamp_reply: Option<Instant>,
}

impl Datagram {
    /// As the forwarder reads it.
    pub(crate) fn as_reply(&self, now: Instant) -> Reply {
        let round_trip = self.timestamp_reply.map(|sent| now - sent);
        Reply { sequence: self.sequence, round_trip }
    }
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    sequence: u64,
    timestamp: Instant,
    at: Instant,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) state: usize,
    pub(crate) typed: Instant,
    pub(crate) echoed: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Client {
    sequence: u64,
    state: usize,
    acknowledged: usize,
    sent: Instant,
    heard: Instant,
    /// Something new, or an acknowledgement of something new.
    pending: Option<Instant>,
    pub(crate) keys: Vec<Key>,
}

impl Client {
    pub(crate) fn new(now: Instant) -> Self {
        let (sent, heard, pending) = (now, now, Some(now));
        Self { sequence: 0, state: 1, acknowledged: 0, sent, heard, pending, keys: Vec::new() }
    }

    pub(crate) fn next(&self) -> Instant {
        let retransmission = self.sent + RETRANSMISSION;
        let retransmits = self.acknowledged < self.state && retransmission < self.heard + RETRANSMITS;
        let again = if retransmits { retransmission } else { self.sent + HEARTBEAT };
        self.pending.map_or(again, |pending| pending.min(again))
    }

    pub(crate) fn type_key(&mut self, now: Instant) {
        self.state += 1;
        self.keys.push(Key { state: self.state, typed: now, echoed: None });
        self.pending = Some(now);
    }

    /// SIGWINCH: the window's size is new state, whatever it is.
    pub(crate) fn nudge(&mut self, now: Instant) {
        self.state += 1;
        self.soon(now + Duration::from_millis(5));
    }

    pub(crate) fn send(&mut self, now: Instant) -> Datagram {
        self.sequence += 1;
        self.sent = now;
        self.pending = None;
        let (state, acknowledges) = (self.state, self.acknowledged);
        Datagram { sequence: self.sequence, state, acknowledges, timestamp: now, timestamp_reply: None }
    }

    pub(crate) fn receive(&mut self, reply: Datagram, now: Instant) {
        self.heard = now;
        if reply.state > self.acknowledged {
            self.acknowledged = reply.state;
            self.soon(now + ACKNOWLEDGES);
        }
        for key in self.keys.iter_mut().filter(|key| key.state <= reply.state) {
            key.echoed.get_or_insert(now);
        }
    }

    fn soon(&mut self, at: Instant) {
        self.pending = Some(self.pending.map_or(at, |pending| pending.min(at)));
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Which of the server's addresses it wrote to: answers come from there.
    pub(crate) by_way_of: SocketAddr,
}

#[derive(Debug)]
pub(crate) struct Server {
    sequence: u64,
    heard: Option<Heard>,
    unanswered: bool,
    state: usize,
    acknowledged: usize,
    pub(crate) peer: Option<Peer>,
    sends: Option<Instant>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            sequence: 0,
            heard: None,
            unanswered: false,
            state: 0,
            acknowledged: 0,
            peer: None,
            sends: None,
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.sends
    }

    pub(crate) fn receive(&mut self, datagram: Datagram, peer: Peer, now: Instant) {
        if self.heard.is_some_and(|heard| datagram.sequence <= heard.sequence) {
            return;
        }
        self.heard = Some(Heard { sequence: datagram.sequence, timestamp: datagram.timestamp, at: now });
        self.unanswered = true;
        self.peer = Some(peer);
        let due = if datagram.state > self.state { now + ECHO } else { now + HEARTBEAT };
        self.state = self.state.max(datagram.state);
        self.acknowledged = self.acknowledged.max(datagram.acknowledges);
        self.sends = Some(self.sends.map_or(due, |sends| sends.min(due)));
    }

    pub(crate) fn send(&mut self, now: Instant) -> Option<(Datagram, Peer)> {
        let heard = self.heard?;
        let speaks = now < heard.at + FORGETS;
        let retransmits = self.acknowledged < self.state && now < heard.at + RETRANSMITS;
        self.sends = speaks.then_some(now + if retransmits { RETRANSMISSION } else { HEARTBEAT });
        self.sequence += 1;
        let tells = std::mem::take(&mut self.unanswered) && now < heard.at + TIMESTAMP_LASTS;
        let timestamp_reply = tells.then_some(heard.timestamp + (now - heard.at));
        let (sequence, state) = (self.sequence, self.state);
        let datagram = Datagram { sequence, state, acknowledges: 0, timestamp: now, timestamp_reply };
        speaks.then_some(datagram).zip(self.peer)
    }
}
