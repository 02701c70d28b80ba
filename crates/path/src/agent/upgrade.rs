//! How a session gets off a way of last resort, and how often it falls back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Agent;
use crate::event::WayId;
use crate::log::Reason;
use crate::policy::Dependence;
use crate::timer::Timer;
use crate::trial::Tried;
use crate::ways::Way;

impl Agent {
    /// Those of better ranks that are worth a trial.
    pub(super) fn better_than(&self, followed: &Way, now: Instant) -> Vec<WayId> {
        let better = self.ways.ranked(|way| way.rank() < followed.rank() && !self.rests(way, now));
        better.iter().map(|way| way.id).collect()
    }

    fn rests(&self, way: &Way, now: Instant) -> bool {
        match way.kind.policy().depends_on {
            Dependence::Nothing => way.address().is_some_and(|address| self.damping.holds(address, now)),
            Dependence::Openers => self.rounds.rest(now),
            Dependence::Relay => self.relay.rests(now),
            Dependence::Channel => false,
        }
    }

    pub(super) fn try_better(&mut self, now: Instant) {
        let Some(followed) = self.followed_way().copied().filter(Way::is_last_resort) else { return };
        let tried = if self.seeks() { None } else { self.worth_a_trial(&followed, now) };
        let next = match tried {
            Some(Tried::BetterRanks) => self.trial.take(followed.kind.policy().head_start, now),
            Some(Tried::Channel(_)) | None => self.trial.next(now),
        };
        self.timers.set(Timer::Trial, next);
        if let Some(tried) = tried {
            self.trial.begin(tried);
            self.timers.clear(Timer::HeadStart);
            self.nudge(now);
        }
    }

    /// A new channel is tried once, before anything else: the followed one is likely to end.
    fn worth_a_trial(&mut self, followed: &Way, now: Instant) -> Option<Tried> {
        let newest = self.ways.last_resort().filter(|newest| followed.yields_to(newest) && !newest.was_used);
        if let Some(newest) = newest {
            return Some(Tried::Channel(newest.id));
        }
        if self.better_than(followed, now).is_empty() {
            return None;
        }
        if self.trial.is_new() {
            // A NAT may be stuck with what was sent in vain by the old ones.
            self.bindings_up().into_iter().for_each(|binding| self.open(binding));
        }
        Some(Tried::BetterRanks)
    }

    pub(super) fn hurry_trials(&mut self, now: Instant) {
        self.trial.hurry(now);
        self.try_better(now);
    }

    /// What is under way is enough for now, but there is reason to try again; at once what a round has just opened.
    pub(super) fn put_off_trials(&mut self, now: Instant) {
        self.abandon_trial();
        self.timers.clear(Timer::Trial);
        if self.followed_way().is_some_and(Way::is_last_resort) {
            self.trial.hurry(now);
            let next = if self.rounds.is_proving() { now } else { self.trial.next(now) };
            self.timers.set(Timer::Trial, next);
        }
    }

    pub(super) fn abandon_trial(&mut self) {
        if self.trial.end() {
            self.timers.clear(Timer::HeadStart);
        }
    }

    pub(super) fn notice_fall(&mut self, to: &Way, reason: Reason, now: Instant) {
        let Some(from) = self.followed_way().copied().filter(|_| reason == Reason::Silence) else { return };
        match (from.kind.policy().depends_on, from.address()) {
            (Dependence::Nothing, Some(address)) if to.is_last_resort() => self.address_fell(address, now),
            (Dependence::Openers, _) => self.rounds.fall(now),
            (Dependence::Relay, _) => self.relay.fall(now),
            (Dependence::Nothing | Dependence::Channel, _) => {}
        }
    }

    fn address_fell(&mut self, address: SocketAddr, now: Instant) {
        let taken = self.log.iter().last().map(|entry| entry.at);
        let lived = taken.map_or(Duration::ZERO, |taken| now.saturating_duration_since(taken));
        self.damping.retain(|address| self.candidates.iter().any(|known| known.address == address));
        self.damping.fall(address, lived, now);
    }
}
