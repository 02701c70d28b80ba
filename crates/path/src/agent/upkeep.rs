//! What an agent does of itself: at its deadlines, and when paths come and go.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Agent, NUDGE_GAP};
use crate::candidate::{Binding, Candidate};
use crate::event::{Event, Route, SocketId, WayId};
use crate::log::Reason;
use crate::race::Race;
use crate::round::ROUND_PATIENCE;
use crate::silence::{FIRST_ALARM, FIRST_HOP, HOP_INTERVAL, LAST_HOP_INTERVAL, Silence};
use crate::sockets::Purpose;
use crate::timer::Timer;
use crate::ways::Way;
use crate::{FLOW_LINGER, SOCKET_LINGER};

impl Agent {
    pub(super) fn expire(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Answer => self.fall_silent(now),
            Timer::HeadStart => self.end_head_start(now),
            Timer::Trial => self.try_better(now),
            Timer::Step => self.step(now),
            Timer::Nudge => self.nudge(now),
            Timer::Hop => self.hop(now),
            Timer::Alarm => self.alarm(now),
            Timer::Round => self.round_is_due(now),
            Timer::Relay => self.relay_is_due(now),
            Timer::Retire => self.retire(now),
        }
    }

    pub(super) fn fall_silent(&mut self, now: Instant) {
        self.counters.silences += 1;
        self.standing.fall_silent();
        self.relay.may_be_needed();
        self.timers.clear(Timer::Answer);
        let sought = self.seeks();
        if self.race.as_ref().is_none_or(Race::is_answered) {
            self.race = Some(Race::begun(Reason::Silence, now));
        }
        self.abandon_trial();
        self.begin_silence(now);
        self.look_elsewhere(sought, now);
        self.plan_round(now);
    }

    /// Whatever is known of the paths may be wrong.
    pub(super) fn start_over(&mut self, reason: Reason, now: Instant) {
        self.race = Some(Race::new(reason));
        let is_elsewhere = matches!(reason, Reason::NetworkChanged | Reason::Woke);
        if is_elsewhere {
            self.damping.forget();
            self.abandon_round(now);
            self.rounds.forget();
            self.relay.forget();
        }
        self.put_off_trials(now);
        if !self.rhythm.has_begun() {
            return;
        }
        if is_elsewhere {
            self.rounds.hurry(now + ROUND_PATIENCE);
            self.move_relay(now);
        }
        self.plan_round(now);
        if self.awaited.is_some() {
            self.spread(now);
        }
        if self.silence.is_some() {
            self.begin_silence(now);
        }
        self.nudge(now);
    }

    /// The newest datagram, if it may not have arrived, also goes over paths that have just come.
    pub(super) fn add_ways(
        &mut self,
        over: impl Fn(SocketId) -> bool,
        candidates: &[Candidate],
        now: Instant,
    ) {
        let wanted = |id| over(id) && self.sockets.is_for(Purpose::Any, id);
        let sockets: Vec<_> = self.sockets.open().filter(|&(id, _)| wanted(id)).collect();
        let mut added = Vec::new();
        for &candidate in candidates {
            let bound = |&&(_, binding): &&(SocketId, Binding)| binding.family == candidate.family();
            for &(socket, _) in sockets.iter().filter(bound) {
                let route = Route::Udp { socket, remote: candidate.address };
                added.push(self.ways.add(self.rounds.kind_of(candidate), route));
            }
        }
        self.copy_to_new(&added, now);
    }

    pub(super) fn copy_to_new(&mut self, added: &[WayId], now: Instant) {
        let carried = self.followed_way().is_some_and(Way::is_last_resort) && !self.seeks();
        if self.race.is_some() && self.awaited.is_some() && !carried {
            self.transmit(|way| added.contains(&way.id), now);
        }
    }

    /// What the server has seen already does not move it to new paths.
    pub(super) fn nudge_if_overtaken(&mut self, now: Instant) {
        if self.silence.is_some() || self.seeks() && self.ways.last_resort_has_newest() {
            self.nudge(now);
        }
    }

    pub(super) fn remove_ways(&mut self, gone: impl Fn(&Way) -> bool, now: Instant) {
        self.ways.remove_where(gone);
        let ways = &self.ways;
        self.transmits.retain(|transmit| ways.find(transmit.way).is_some());
        if self.followed.is_some_and(|followed| self.ways.find(followed).is_none()) {
            self.followed = None;
            self.standing.end();
            self.start_over(Reason::Withdrawn, now);
        }
    }

    pub(super) fn remove_ways_to(&mut self, candidate: SocketAddr, now: Instant) {
        let leads_there = |way: &Way| way.address() == Some(candidate);
        let is_a_candidates =
            |way: &Way| way.socket().is_some_and(|socket| self.sockets.is_for(Purpose::Any, socket));
        let ways = self.ways.ranked(|way| leads_there(way) && is_a_candidates(way));
        self.remove_ways(|gone| ways.iter().any(|way| way.id == gone.id), now);
    }

    pub(super) fn reconsider(&mut self, candidate: Candidate) {
        let kind = self.rounds.kind_of(candidate);
        self.ways
            .reconsider(Candidate { kind, ..candidate }, |socket| self.sockets.is_for(Purpose::Any, socket));
    }

    pub(super) fn open(&mut self, binding: Binding) {
        self.open_for(Purpose::Any, binding);
    }

    pub(super) fn open_for(&mut self, purpose: Purpose, binding: Binding) -> SocketId {
        let socket = self.add_socket(purpose, binding);
        self.events.push(Event::Open { socket, binding });
        socket
    }

    pub(super) fn add_socket(&mut self, purpose: Purpose, binding: Binding) -> SocketId {
        let flows = self.ways.flows().into_iter().filter_map(Way::socket);
        let kept: Vec<_> = flows.chain(self.relay.socket()).collect();
        if let Some(surplus) = self.sockets.surplus(&kept) {
            self.close(surplus);
        }
        self.sockets.add(purpose, binding)
    }

    fn begin_silence(&mut self, now: Instant) {
        let patience = self.patience();
        self.silence = Some(Silence::new(patience, now));
        self.timers.set(Timer::Step, now + patience);
        self.timers.set_no_later(Timer::Hop, now + FIRST_HOP);
        self.timers.set_no_later(Timer::Alarm, now + FIRST_ALARM);
    }

    fn step(&mut self, now: Instant) {
        let Some(wait) = self.silence.as_mut().and_then(Silence::step) else { return };
        self.timers.set(Timer::Step, now + wait);
        self.nudge(now);
    }

    pub(super) fn nudge(&mut self, now: Instant) {
        if let Some(next) = self.last_nudge.map(|last| last + NUDGE_GAP).filter(|&next| next > now) {
            return self.timers.set_no_later(Timer::Nudge, next);
        }
        self.timers.clear(Timer::Nudge);
        self.last_nudge = Some(now);
        self.counters.nudges += 1;
        self.events.push(Event::Nudge);
    }

    /// Waits where there is no network: what the kernel does not take makes no NAT stuck.
    pub(super) fn hop(&mut self, now: Instant) {
        let up = self.bindings_up();
        let wait = match &mut self.silence {
            _ if up.is_empty() => LAST_HOP_INTERVAL,
            Some(silence) => silence.hop(now),
            None => HOP_INTERVAL,
        };
        self.timers.set(Timer::Hop, now + wait);
        self.counters.hops += u64::from(!up.is_empty());
        up.into_iter().for_each(|binding| self.open(binding));
    }

    pub(super) fn bindings_up(&self) -> Vec<Binding> {
        let is_up =
            |binding: &Binding| self.sockets.newest(*binding).is_none_or(|socket| self.ways.takes(socket));
        self.sockets.bindings().iter().copied().filter(is_up).collect()
    }

    fn alarm(&mut self, now: Instant) {
        let Some(silence) = &mut self.silence else { return };
        self.timers.set(Timer::Alarm, now + silence.next_alarm());
        self.events.push(Event::Silent);
    }

    /// Not in a silence: nobody knows then which of them the server will answer to.
    fn retire(&mut self, now: Instant) {
        if self.silence.is_some() {
            return self.timers.set(Timer::Retire, now + SOCKET_LINGER);
        }
        let lives = |way: &&Way| {
            let heard = way.heard.is_some_and(|heard| now.saturating_duration_since(heard) < FLOW_LINGER);
            heard || Some(way.id) == self.followed
        };
        let kept: Vec<_> = self.ways.flows().into_iter().filter(lives).filter_map(Way::socket).collect();
        self.sockets.idle(&kept).into_iter().for_each(|socket| self.close(socket));
        let followed: Vec<_> = self.followed_way().and_then(Way::socket).into_iter().collect();
        if !self.sockets.idle(&followed).is_empty() {
            self.timers.set(Timer::Retire, now + SOCKET_LINGER);
        }
    }

    pub(super) fn close(&mut self, socket: SocketId) {
        self.sockets.remove(socket);
        self.ways.remove_where(|way| way.socket() == Some(socket));
        let ways = &self.ways;
        self.transmits.retain(|transmit| ways.find(transmit.way).is_some());
        self.events.push(Event::Close { socket });
    }
}
