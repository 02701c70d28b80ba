//! The state machine.

mod carriers;
mod punching;
mod relaying;
mod sending;
#[cfg(test)]
mod tests;
mod upgrade;
mod upkeep;
mod verdict;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::verdict::Verdict;
use crate::candidate::{Added, Binding, Candidate, Candidates};
use crate::damping::Damping;
use crate::event::{Event, Events, Reply, SocketId, Transmit, WayId};
use crate::log::{Entry, Log, Reason};
use crate::probe::Probe;
use crate::race::Race;
use crate::relay::Relay;
use crate::rhythm::{Expected, Rhythm};
use crate::round::{MAX_REMOTES, MAX_SOURCES, Rounds};
use crate::silence::{MAX_PATIENCE, Silence};
use crate::sockets::Sockets;
use crate::standing::Standing;
use crate::timer::{Timer, Timers};
use crate::trial::Trial;
use crate::turns::Turns;
use crate::ways::{MAX_CARRIERS, MAX_FLOWS, Way, Ways};

/// A burst of this many datagrams, 20 kB at most, does not fill a home router's queue. Every kind is among the best 16
/// as long as there is one binding of each family.
pub const MAX_COPIES: usize = 16;

/// One change of the network is told in several messages, within milliseconds.
pub const NUDGE_GAP: Duration = Duration::from_millis(100);

const _: () = assert!(MAX_FLOWS + MAX_CARRIERS + MAX_REMOTES + MAX_SOURCES <= MAX_COPIES);

/// mosh-client sends every 3 s at least. After a gap of three times that, the machine or mosh-client was stopped.
pub const CLOCK_JUMP: Duration = Duration::from_secs(10);

/// What was done so far; copies beyond one a datagram are the price of moving fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Taken from mosh-client.
    pub datagrams: u64,
    /// Sent over all paths together.
    pub copies: u64,
    pub moves: u64,
    pub silences: u64,
    pub nudges: u64,
    pub hops: u64,
    /// Of hole punching, that the host was asked for.
    pub rounds: u64,
    /// Replies that were not newer than all before.
    pub stale_replies: u64,
}

#[derive(Debug, Clone, Copy)]
struct Awaited {
    since: Instant,
    expected: Expected,
}

/// See the [crate].
#[derive(Debug)]
pub struct Agent {
    sockets: Sockets,
    candidates: Candidates,
    ways: Ways,
    followed: Option<WayId>,
    newest_reply: Option<u64>,
    awaited: Option<Awaited>,
    standing: Standing,
    rhythm: Rhythm,
    race: Option<Race>,
    silence: Option<Silence>,
    turns: Turns,
    probe: Probe,
    trial: Trial,
    damping: Damping,
    rounds: Rounds,
    relay: Relay,
    last_nudge: Option<Instant>,
    timers: Timers,
    transmits: VecDeque<Transmit>,
    events: Events,
    log: Log,
    counters: Counters,
    last_now: Option<Instant>,
}

impl Agent {
    /// `seed` spreads the probes of many sessions, and nothing else.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            sockets: Sockets::default(),
            candidates: Candidates::default(),
            ways: Ways::default(),
            followed: None,
            newest_reply: None,
            awaited: None,
            standing: Standing::default(),
            rhythm: Rhythm::default(),
            race: Some(Race::new(Reason::First)),
            silence: None,
            turns: Turns::default(),
            probe: Probe::new(seed),
            trial: Trial::new(seed),
            damping: Damping::default(),
            rounds: Rounds::default(),
            relay: Relay::default(),
            last_nudge: None,
            timers: Timers::default(),
            transmits: VecDeque::new(),
            events: Events::default(),
            log: Log::default(),
            counters: Counters::default(),
            last_now: None,
        }
    }

    /// mosh-client has sent a datagram that is authentic.
    pub fn handle_outgoing(&mut self, now: Instant) {
        self.observe(now);
        self.transmits.clear();
        self.ways.forget_newest();
        self.counters.datagrams += 1;
        self.race.take_if(|race| !race.goes_on(now));
        let racing = self.race.is_some();
        self.persist(now);
        self.await_answer(racing, now);
        match self.followed_way().copied() {
            Some(followed) if !self.seeks() => self.follow(&followed, racing, now),
            _ => {
                self.seek(now);
                self.plan_round(now);
            }
        }
    }

    /// An authentic datagram of mosh-server has come in over this path.
    pub fn handle_reply(&mut self, way: WayId, reply: Reply, now: Instant) {
        self.observe(now);
        if !self.is_news(reply) || self.ways.find(way).is_none() {
            return;
        }
        self.accept(reply, now);
        self.ways.hear(way, now);
        if self.is_late(way) {
            return;
        }
        if self.followed != Some(way) {
            self.move_to(way, now);
        }
        if let Some(round_trip) = reply.round_trip {
            self.ways.measure(way, round_trip);
        }
        match self.judge(reply, now) {
            Verdict::Answered => self.relax(now),
            Verdict::Unheard => self.miss(now),
            Verdict::Open => {}
        }
    }

    /// An authentic datagram of mosh-server has come from no candidate: a server with several addresses does not always
    /// answer from the one that was asked. It does not tell over which path the server was reached, so if none is
    /// followed yet, all of them go on to be used.
    pub fn handle_stray_reply(&mut self, reply: Reply, now: Instant) {
        self.observe(now);
        if !self.is_news(reply) {
            return;
        }
        self.accept(reply, now);
        match self.judge(reply, now) {
            Verdict::Answered => self.relax(now),
            Verdict::Unheard => self.miss(now),
            Verdict::Open => {}
        }
    }

    /// The kernel refuses to send over this path.
    pub fn handle_unreachable(&mut self, way: WayId, now: Instant) {
        self.observe(now);
        self.ways.refuse(way);
        if self.followed == Some(way) && self.silence.is_none() && self.awaited.is_some() {
            self.fall_silent(now);
        }
        if self.timers.is_set(Timer::HeadStart) && !self.ways.newest_is_under_way() {
            self.timers.clear(Timer::HeadStart);
            self.end_head_start(now);
        }
    }

    /// Another look at the network: `bindings` are all that are of use now, at most [`MAX_BINDINGS`](crate::MAX_BINDINGS).
    pub fn handle_network(&mut self, bindings: &[Binding], now: Instant) {
        self.observe(now);
        for binding in self.sockets.bind(bindings) {
            self.open(binding);
        }
        self.timers.set_no_later(Timer::Retire, now + crate::SOCKET_LINGER);
        self.start_over(Reason::NetworkChanged, now);
    }

    /// More candidates, from the offer or from looking the name up; the best first. They go before the known ones of their
    /// rank: what is told last is true most likely.
    pub fn handle_candidates(&mut self, candidates: &[Candidate], now: Instant) {
        self.observe(now);
        let (mut improved, mut new) = (false, Vec::new());
        for &candidate in candidates.iter().rev() {
            let kept = self.followed_way().and_then(Way::address);
            let added = self.candidates.add(candidate, kept);
            if let Added::Improved { replaced: Some(old) } | Added::New { replaced: Some(old) } = added {
                new.retain(|&candidate| candidate != old);
                self.remove_ways_to(old.address, now);
            }
            match added {
                Added::Known => {}
                Added::Improved { .. } => {
                    self.reconsider(candidate);
                    self.log.improve(candidate);
                    improved = true;
                }
                Added::New { .. } => new.push(candidate),
            }
        }
        self.add_ways(|_| true, &new, now);
        if improved && self.followed.is_none() && self.awaited.is_some() {
            // What came before the port was mapped is lost, and its NAT may remember that it led nowhere.
            self.hop(now);
        }
        if improved || !new.is_empty() {
            if self.followed_way().is_some_and(Way::needs_opener) {
                // A NAT may be stuck with what was sent in vain by the old ones, before there was a mapping.
                self.bindings_up().into_iter().for_each(|binding| self.open(binding));
            }
            self.probe.hurry();
            self.nudge_if_overtaken(now);
            self.hurry_trials(now);
            self.hurry_round(now);
        }
    }

    /// The server can no longer be reached there.
    pub fn handle_withdrawn(&mut self, address: SocketAddr, now: Instant) {
        self.observe(now);
        if self.candidates.remove(address) {
            self.remove_ways_to(address, now);
        }
    }

    pub fn handle_opened(&mut self, socket: SocketId, now: Instant) {
        self.observe(now);
        let Some(binding) = self.sockets.opened(socket) else { return };
        if self.rounds.has(socket) {
            return self.round_socket_opened(socket, now);
        }
        if self.relay.has(socket) {
            return self.relay_opened(now);
        }
        let reachable: Vec<_> =
            self.candidates.iter().filter(|candidate| candidate.family() == binding.family).collect();
        self.add_ways(|id| id == socket, &reachable, now);
        self.timers.set_no_later(Timer::Retire, now + crate::SOCKET_LINGER);
    }

    /// The next change of the network, or hop, tries again. A relay's may have been open.
    pub fn handle_open_failed(&mut self, socket: SocketId, now: Instant) {
        self.observe(now);
        self.sockets.remove(socket);
        self.relay_failed(socket, now);
        self.remove_ways(|way| way.socket() == Some(socket), now);
        if self.rounds.has(socket) {
            self.rounds.gather(socket, false);
            self.prime_and_ask(now);
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.observe(now);
        while let Some(timer) = self.timers.take_expired(now) {
            self.expire(timer, now);
        }
    }

    /// All that this returns after one [`handle_outgoing`](Self::handle_outgoing) are copies of that datagram, best path first.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transmits.pop_front()?;
        self.counters.copies += 1;
        Some(transmit)
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), once everything else has been polled; output that waits is no
    /// deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Where a datagram came in.
    #[must_use]
    pub fn way_between(&self, socket: SocketId, remote: SocketAddr) -> Option<WayId> {
        self.ways.between(socket, remote).map(|way| way.id)
    }

    #[must_use]
    pub fn way(&self, id: WayId) -> Option<&Way> {
        self.ways.find(id)
    }

    /// The path that the server uses, as far as its replies tell.
    #[must_use]
    pub fn followed_way(&self) -> Option<&Way> {
        self.ways.find(self.followed?)
    }

    /// Since when the server has answered over carried ways alone, and over ways that need no help of the host.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Where the server may be reached by UDP, as far as is known.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.candidates.iter()
    }

    /// The moves so far, oldest first: the first and the latest, at most [`MAX_LOG`](crate::MAX_LOG).
    pub fn log(&self) -> impl Iterator<Item = &Entry> {
        self.log.iter()
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn observe(&mut self, now: Instant) {
        let jumped = self.last_now.is_some_and(|last| now.saturating_duration_since(last) >= CLOCK_JUMP);
        self.last_now = self.last_now.max(Some(now));
        if jumped && self.rhythm.has_begun() {
            self.start_over(Reason::Woke, now);
        }
    }

    fn await_answer(&mut self, racing: bool, now: Instant) {
        let expected = self.rhythm.datagram(racing, now);
        if self.awaited.is_none_or(|awaited| expected < awaited.expected) {
            self.awaited = Some(Awaited { since: now, expected });
        }
        if self.silence.is_none() {
            self.timers
                .set_no_later(Timer::Answer, now + expected.delay() + self.head_start() + self.patience());
        }
    }

    fn patience(&self) -> Duration {
        self.followed_way().map_or(MAX_PATIENCE, |way| way.round_trip.patience())
    }

    /// In a silence.
    fn persist(&mut self, now: Instant) {
        let Some(silence) = &mut self.silence else { return };
        silence.take_turn();
        let hop = silence.hop_for_typing(now);
        if let Some(hop) = hop.filter(|_| !self.rhythm.is_heartbeat(now)) {
            self.timers.set_no_later(Timer::Hop, hop);
        }
    }
}
