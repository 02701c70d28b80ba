//! What an agent does for a relay, and with what comes of it.

use std::net::SocketAddr;
use std::time::Instant;

use super::Agent;
use crate::candidate::{Binding, Candidate, Family, Kind};
use crate::event::{Event, Route, SocketId};
use crate::relay::{Due, permitted};
use crate::round::{ROUND_PATIENCE, ROUND_SPAN};
use crate::sockets::Purpose;
use crate::timer::Timer;
use crate::ways::Way;

impl Agent {
    /// There is one that may be asked, where nothing else by UDP works. Without this none is.
    pub fn handle_relay_offered(&mut self, now: Instant) {
        self.observe(now);
        self.relay.offer();
    }

    pub(super) fn plan_relay(&mut self, at: Instant, now: Instant) {
        if self.wants_udp() {
            self.relay.plan(at);
            self.mind_relay(now);
        }
    }

    /// In another network its address may lead nowhere. If it does not answer by then, another is asked for.
    pub(super) fn move_relay(&mut self, now: Instant) {
        let is_followed = self.followed_way().is_some_and(Way::is_relayed);
        let unproven = self.relay.take_unproven();
        unproven.into_iter().for_each(|socket| self.close(socket));
        if is_followed {
            self.plan_relay(now + ROUND_PATIENCE, now);
        }
        self.mind_relay(now);
    }

    pub(super) fn relay_is_due(&mut self, now: Instant) {
        match self.relay.take_due(now) {
            Some(Due::Allocate) if self.wants_udp() => self.allocate(now),
            Some(Due::Ask) => self.ask_by_relay(now),
            Some(Due::Fail) => self.fail_relay(now),
            Some(Due::Release) => {
                let socket = self.relay.take();
                socket.into_iter().for_each(|socket| self.close(socket));
            }
            Some(Due::Allocate) | None => {}
        }
        self.mind_relay(now);
    }

    /// What has worked before may do so again, as long as the relay keeps it.
    pub(super) fn allocate(&mut self, now: Instant) {
        let Some((family, peers)) = permitted(self.seen_from_outside().into_iter()) else { return };
        let socket = self.add_socket(Purpose::Relay, Binding::any(family));
        match self.relay.begin(socket, now) {
            Some(former) if self.ways.any_heard(|way| way.socket() == Some(former)) => {
                self.sockets.keep_hole(former);
                self.timers.set_no_later(Timer::Retire, now + crate::SOCKET_LINGER);
            }
            Some(former) => self.close(former),
            None => {}
        }
        self.events.push(Event::Allocate { socket, family });
        peers.into_iter().for_each(|peer| self.events.push(Event::Permit { socket, peer }));
    }

    /// What the host has told of comes first. Where all of it is in a network of the host's own, whoever asks the relay tells
    /// what is missing.
    fn seen_from_outside(&self) -> Vec<SocketAddr> {
        let mut candidates: Vec<_> = self.candidates.iter().collect();
        candidates.sort_by_key(Candidate::rank);
        let inside: Vec<_> = candidates
            .iter()
            .filter(|candidate| candidate.kind == Kind::Lan)
            .map(|candidate| candidate.address.ip())
            .collect();
        let known = self.rounds.told().chain(candidates.iter().map(|candidate| candidate.address));
        let (inside, outside): (Vec<_>, Vec<_>) = known.partition(|known| inside.contains(&known.ip()));
        if outside.is_empty() { inside } else { outside }
    }

    pub(super) fn relay_opened(&mut self, now: Instant) {
        self.relay.opened();
        self.ask_by_relay(now);
    }

    /// As soon as the host takes another question.
    pub(super) fn ask_by_relay(&mut self, now: Instant) {
        let is_to_ask = self.relay.is_to_ask() && self.wants_udp();
        let Some(socket) = self.relay.socket().filter(|_| is_to_ask) else { return };
        match self.rounds.leave_room(now) {
            Some(at) if at <= now => {
                let round = self.rounds.ask_beside(now);
                self.relay.ask(round, now + ROUND_SPAN);
                self.counters.rounds += 1;
                let of = |family| Some(socket).filter(|&socket| self.sockets.family(socket) == Some(family));
                self.events.push(Event::Punch { round, v6: of(Family::V6), v4: of(Family::V4) });
            }
            later => self.relay.ask_at(later),
        }
        self.mind_relay(now);
    }

    pub(super) fn relay_is_known(&mut self, now: Instant) {
        self.relay.prove(now + ROUND_SPAN);
        self.mind_relay(now);
    }

    pub(super) fn add_relayed(&mut self, socket: SocketId, remote: SocketAddr, now: Instant) {
        self.relay_is_known(now);
        if self.relay.takes_source(remote) {
            let way = self.ways.add(Kind::Relayed, Route::Udp { socket, remote });
            self.try_new(&[way], now);
        }
    }

    pub(super) fn fail_relay(&mut self, now: Instant) {
        let socket = self.relay.fail(now);
        socket.into_iter().for_each(|socket| self.close(socket));
        self.mind_relay(now);
        self.plan_round(now);
    }

    /// The relay has refused, or is lost.
    pub(super) fn relay_failed(&mut self, socket: SocketId, now: Instant) {
        if self.relay.has(socket) {
            self.relay.fail(now);
            self.mind_relay(now);
            self.plan_round(now);
        }
    }

    /// Some way answers.
    pub(super) fn settle_relay(&mut self, now: Instant) {
        let Some(followed) = self.followed_way() else { return };
        if followed.is_direct() {
            self.relay.spare(now);
        } else if followed.socket().is_some_and(|socket| self.relay.has(socket)) {
            self.relay.hold(now);
        } else {
            return;
        }
        self.mind_relay(now);
    }

    fn mind_relay(&mut self, now: Instant) {
        match self.relay.next() {
            Some(next) => self.timers.set(Timer::Relay, next.max(now)),
            None => self.timers.clear(Timer::Relay),
        }
    }
}
