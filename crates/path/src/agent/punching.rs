//! What an agent does for a round of hole punching, and with what comes of it.

use std::net::SocketAddr;
use std::time::Instant;

use super::Agent;
use crate::candidate::{Binding, Candidate, Family, Kind};
use crate::event::{Event, Route, SocketId, WayId};
use crate::relay::RELAY_PATIENCE;
use crate::round::{FIRST_ROUND_PATIENCE, MAPPING_SPAN, ROUND_PATIENCE, ROUND_SPAN};
use crate::sockets::Purpose;
use crate::timer::Timer;
use crate::ways::Way;

impl Agent {
    /// A channel is up whose host takes rounds. What another one was asked for, and has not answered, is asked again.
    pub fn handle_puncher(&mut self, now: Instant) {
        self.observe(now);
        self.rounds.puncher_came();
        self.give_up_unanswered(now);
        self.relay.puncher_came();
        self.ask_by_relay(now);
        self.plan_round(now);
    }

    /// There is none any more. Openers may be under way all the same.
    pub fn handle_puncher_gone(&mut self, now: Instant) {
        self.observe(now);
        self.rounds.puncher_went();
        self.give_up_unanswered(now);
    }

    /// The host's openers of that round are under way. To others they come from these addresses, as far as it knows, if they
    /// may be let in.
    pub fn handle_punched(&mut self, round: u32, from: &[SocketAddr], now: Instant) {
        self.observe(now);
        if self.relay.is_asked(round) {
            return self.relay_is_known(now);
        }
        if self.rounds.is_asked(round) {
            let beside = self.rounds.tell(from);
            if !self.rounds.are_mapped() {
                self.prove(now);
                self.add_punched(&beside, now);
                if let Some(again) = self.rounds.begins_again(now) {
                    self.timers.set_no_later(Timer::Round, again);
                }
            }
        }
    }

    /// What comes to this socket's mapping, from anywhere, reaches it from now on.
    pub fn handle_mapped(&mut self, socket: SocketId, now: Instant) {
        self.observe(now);
        if self.rounds.has(socket) {
            self.rounds.gather(socket, true);
            self.prime_and_ask(now);
        }
    }

    /// There is no router here that maps ports, or it has refused.
    pub fn handle_not_mapped(&mut self, socket: SocketId, now: Instant) {
        self.observe(now);
        if self.rounds.has(socket) {
            self.fail_unmapped(now);
        }
    }

    /// The host sends none, or could not be asked.
    pub fn handle_punch_refused(&mut self, round: u32, now: Instant) {
        self.observe(now);
        if self.relay.is_asked(round) {
            return self.fail_relay(now);
        }
        if self.rounds.is_asked(round) {
            let sockets = self.rounds.refuse(now);
            self.close_round(sockets, now);
            self.plan_round(now);
        }
    }

    /// Whether [`handle_opener`](Self::handle_opener) would make anything of it. Everybody on the way can copy openers, and
    /// send them from anywhere: whether a source may be let in is to be asked of no others.
    #[must_use]
    pub fn expects_opener(&self, socket: SocketId, source: SocketAddr) -> bool {
        self.relay.expects(socket, source) || self.rounds.has(socket) && self.rounds.expects(source)
    }

    /// An opener with the cookie of the last [`Event::Punch`] has come in, from an address that may be let in.
    pub fn handle_opener(&mut self, socket: SocketId, source: SocketAddr, now: Instant) {
        self.observe(now);
        if self.relay.is_reached_by(socket) {
            return self.add_relayed(socket, source, now);
        }
        if !self.rounds.has(socket) {
            return;
        }
        self.prove(now);
        if self.rounds.is_proving() && self.rounds.takes_source(source) {
            self.add_punched(&[source], now);
        }
    }

    /// The next round begins when it may, if one is wanted by then.
    pub(super) fn plan_round(&mut self, now: Instant) {
        if !self.wants_round() {
            return;
        }
        let unanswered_since = self.awaited.map_or(now, |awaited| awaited.since);
        let earliest = match self.followed_way() {
            None => unanswered_since + FIRST_ROUND_PATIENCE,
            Some(_) if self.is_lost() => unanswered_since + ROUND_PATIENCE,
            Some(_) => now,
        };
        if let Some(next) = self.next_round(now) {
            self.timers.set_no_later(Timer::Round, next.max(earliest));
        }
    }

    fn next_round(&self, now: Instant) -> Option<Instant> {
        let next = self.rounds.next(now)?;
        Some(self.relay.comes_first().filter(|_| self.wants_udp()).map_or(next, |relay| next.max(relay)))
    }

    /// The next one begins as soon as it may, however many have failed.
    pub(super) fn hurry_round(&mut self, now: Instant) {
        self.rounds.hurry(now);
        self.relay.hurry();
        self.plan_round(now);
    }

    pub(super) fn round_is_due(&mut self, now: Instant) {
        if self.rounds.are_under_way() {
            return self.fail_round(now);
        }
        if !self.wants_round() {
            return;
        }
        if self.followed_way().is_some_and(Way::is_hole) {
            self.rounds.fall(now);
        }
        match self.next_round(now) {
            Some(next) if next <= now => self.begin_round(now),
            Some(next) => self.timers.set(Timer::Round, next),
            None => {}
        }
    }

    /// Whether no direct way is known to work.
    fn wants_round(&self) -> bool {
        self.rhythm.has_begun() && (self.is_lost() || !self.followed_way().is_some_and(Way::is_direct))
    }

    /// Whether no way by UDP is known to work.
    pub(super) fn wants_udp(&self) -> bool {
        self.rhythm.has_begun() && (self.is_lost() || self.followed_way().is_none_or(Way::is_last_resort))
    }

    fn is_lost(&self) -> bool {
        self.silence.is_some() || self.seeks()
    }

    fn begin_round(&mut self, now: Instant) {
        let (bindings, is_mapped) = (self.bindings_of_round(), self.rounds.are_mapped());
        if bindings.is_empty() && !is_mapped {
            return;
        }
        let sockets = bindings.into_iter().map(|binding| self.open_for(Purpose::Round, binding)).collect();
        self.rounds.begin(sockets, now);
        if self.rounds.sockets().is_empty() {
            return self.fail_unmapped(now);
        }
        self.timers.set(Timer::Round, now + if is_mapped { MAPPING_SPAN } else { ROUND_SPAN });
    }

    /// One a family, of those that are mapped if that is wanted.
    fn bindings_of_round(&self) -> Vec<Binding> {
        let is_mapped = self.rounds.are_mapped();
        let mut bindings = self.bindings_not_refused();
        bindings.retain(|binding| !is_mapped || binding.family == Family::V4);
        bindings.dedup_by_key(|binding| binding.family);
        bindings
    }

    fn bindings_not_refused(&self) -> Vec<Binding> {
        let is_refused =
            |binding: &Binding| self.sockets.newest(*binding).is_some_and(|socket| self.ways.refuses(socket));
        self.sockets.bindings().iter().copied().filter(|binding| !is_refused(binding)).collect()
    }

    fn fail_unmapped(&mut self, now: Instant) {
        let sockets = self.rounds.fail_unmapped(now);
        self.close_round(sockets, now);
        self.plan_round(now);
    }

    pub(super) fn round_socket_opened(&mut self, socket: SocketId, now: Instant) {
        match self.rounds.are_mapped() {
            true => self.events.push(Event::Map { socket }),
            false => {
                self.rounds.gather(socket, true);
                self.prime_and_ask(now);
            }
        }
    }

    /// Once all sockets of the round are there.
    pub(super) fn prime_and_ask(&mut self, now: Instant) {
        let mut known: Vec<_> = self.candidates.iter().collect();
        known.sort_by_key(Candidate::rank);
        let known: Vec<_> = known.iter().map(|candidate| candidate.address).collect();
        let Some(round) = self.rounds.ask(&known, now) else { return };
        self.counters.rounds += 1;
        if let Some(primed) = self.rounds.primed() {
            for remote in self.rounds.likely(&known) {
                if let Some(socket) = self.round_socket(Family::of(remote)) {
                    self.events.push(Event::Prime { socket, remote, primed });
                }
            }
        }
        let [v6, v4] = [Family::V6, Family::V4].map(|family| self.round_socket(family));
        self.events.push(Event::Punch { round, v6, v4 });
        self.timers.set(Timer::Round, now + ROUND_SPAN);
    }

    fn round_socket(&self, family: Family) -> Option<SocketId> {
        let sockets = self.rounds.sockets().iter().copied();
        sockets.into_iter().find(|&socket| self.sockets.family(socket) == Some(family))
    }

    fn prove(&mut self, now: Instant) {
        if self.rounds.prove() {
            self.timers.set(Timer::Round, now + ROUND_SPAN);
            self.plan_relay(now + RELAY_PATIENCE, now);
            self.ask_by_relay(now);
        }
        if self.rounds.is_proving() {
            let remotes = self.rounds.remotes().to_vec();
            self.add_punched(&remotes, now);
        }
    }

    fn add_punched(&mut self, remotes: &[SocketAddr], now: Instant) {
        let mut added: Vec<(WayId, SocketAddr)> = Vec::new();
        for &remote in remotes {
            let Some(socket) = self.round_socket(Family::of(remote)) else { continue };
            if self.ways.between(socket, remote).is_none() {
                added.push((self.ways.add(Kind::Punched, Route::Udp { socket, remote }), remote));
            }
        }
        if added.is_empty() {
            return;
        }
        let (ways, remotes): (Vec<_>, Vec<_>) = added.into_iter().unzip();
        self.doubt_resolved(remotes);
        self.try_new(&ways, now);
        if self.followed_way().is_some_and(Way::is_relayed) && !self.is_lost() {
            self.probe.hurry();
            self.nudge(now);
        }
    }

    /// What openers have opened.
    pub(super) fn try_new(&mut self, ways: &[WayId], now: Instant) {
        self.copy_to_new(ways, now);
        self.nudge_if_overtaken(now);
        self.hurry_trials(now);
    }

    /// What has not answered before may do so now thanks to an opener.
    fn doubt_resolved(&mut self, remotes: Vec<SocketAddr>) {
        let answers =
            |address| self.ways.any_heard(|way| way.address() == Some(address) && !way.needs_opener());
        let doubtful: Vec<_> = remotes.into_iter().filter(|&remote| !answers(remote)).collect();
        let candidates = &self.candidates;
        self.rounds.open(doubtful, |address| candidates.iter().any(|known| known.address == address));
        let candidates: Vec<_> = self.candidates.iter().collect();
        candidates.into_iter().for_each(|candidate| self.reconsider(candidate));
    }

    /// A direct way answers, so that no round is needed.
    pub(super) fn settle_round(&mut self, now: Instant) {
        let Some(followed) = self.followed_way().copied().filter(Way::is_direct) else { return };
        let sockets = if followed.is_hole() { self.rounds.hold(now) } else { self.rounds.leave() };
        self.close_round(sockets, now);
    }

    pub(super) fn fail_round(&mut self, now: Instant) {
        let sockets = self.rounds.fail(now);
        self.close_round(sockets, now);
        self.plan_round(now);
    }

    /// In another network it leads to nothing.
    pub(super) fn abandon_round(&mut self, now: Instant) {
        let sockets = self.rounds.end();
        self.close_round(sockets, now);
    }

    fn give_up_unanswered(&mut self, now: Instant) {
        if !self.rounds.is_proving() {
            let sockets = self.rounds.give_up();
            self.close_round(sockets, now);
        }
    }

    fn close_round(&mut self, sockets: Vec<SocketId>, now: Instant) {
        if sockets.is_empty() {
            return;
        }
        self.events.forget_round(&sockets);
        self.timers.clear(Timer::Round);
        let followed = self.followed_way().and_then(Way::socket);
        for socket in sockets {
            if Some(socket) == followed {
                self.sockets.keep_hole(socket);
            } else if self.sockets.is_for(Purpose::Round, socket) {
                self.close(socket);
            }
        }
        self.ask_by_relay(now);
    }
}
