//! What a reply proves.

use std::time::{Duration, Instant};

use super::{Agent, Awaited};
use crate::SOCKET_LINGER;
use crate::event::{Event, Reply, WayId};
use crate::log::{Entry, Reason};
use crate::race::Race;
use crate::rhythm::{Expected, HEARD_LASTS};
use crate::timer::Timer;
use crate::turns::Turns;
use crate::ways::Way;

/// What a reply tells of the datagram that is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Answered,
    /// The server speaks, and has not heard it.
    Unheard,
    Open,
}

impl Agent {
    /// Whether it is newer than all before; one that is not may be somebody's replay.
    pub(super) fn is_news(&mut self, reply: Reply) -> bool {
        let is_stale = self.newest_reply.is_some_and(|newest| reply.sequence <= newest);
        self.counters.stale_replies += u64::from(is_stale);
        !is_stale
    }

    pub(super) fn accept(&mut self, reply: Reply, now: Instant) {
        self.newest_reply = Some(reply.sequence);
        self.rhythm.reply(now);
    }

    /// One that answers nothing is a heartbeat, or what is printed, or what the server says again, for nobody acknowledges it.
    pub(super) fn judge(&self, reply: Reply, now: Instant) -> Verdict {
        if reply.round_trip.is_some() {
            return Verdict::Answered;
        }
        let Some(Awaited { since, expected: Expected::WithHeartbeat }) = self.awaited else {
            return Verdict::Open;
        };
        let waited = now.saturating_duration_since(since);
        if waited >= HEARD_LASTS {
            Verdict::Answered
        } else if self.silence.is_none() && self.crossing_at_most().is_some_and(|longest| waited >= longest) {
            Verdict::Unheard
        } else {
            Verdict::Open
        }
    }

    /// For how long after a datagram a reply may come that was under way already, if that is known.
    fn crossing_at_most(&self) -> Option<Duration> {
        let followed = self.followed_way().filter(|way| way.round_trip.is_known());
        followed.map(|way| way.round_trip.patience() + self.head_start())
    }

    /// From now on nothing but an answer will do.
    pub(super) fn miss(&mut self, now: Instant) {
        self.awaited.iter_mut().for_each(|awaited| awaited.expected = Expected::Soon);
        self.fall_silent(now);
    }

    pub(super) fn move_to(&mut self, way: WayId, now: Instant) {
        let Some(to) = self.ways.find(way).copied() else { return };
        let reason = self.why(&to);
        self.race.iter_mut().for_each(Race::lead);
        self.notice_fall(&to, reason, now);
        let upgraded = self.followed_way().is_some_and(|from| from.yields_to(&to));
        self.followed = Some(way);
        self.standing.answer(to.kind, now);
        self.counters.moves += 1;
        self.log.push(Entry { at: now, way, kind: to.kind, address: to.address(), reason });
        self.events.push(Event::Moved { to: way, kind: to.kind, address: to.address() });
        if upgraded {
            // What had been sent over the former way meanwhile may have moved the server back.
            self.nudge(now);
        }
        if reason == Reason::First {
            // So that mosh-server learns the round trip. Until then it keeps 250 ms between its screens, and the first
            // prompt is in the second; mosh-client would hold its acknowledgement back for 100 ms (1.4.0).
            self.nudge(now);
        }
        self.probe.restart(now);
        self.put_off_trials(now);
        self.timers.set(Timer::Retire, now + SOCKET_LINGER);
        self.settle_round(now);
        self.settle_relay(now);
    }

    fn why(&self, to: &Way) -> Reason {
        let better = self.followed_way().is_some_and(|followed| to.rank() < followed.rank());
        // Whatever has begun the race had it fall back on that.
        let upgraded = better && self.followed_way().is_some_and(|way| !way.is_direct());
        match &self.race {
            Some(_) if self.log.iter().next().is_none() => Reason::First,
            Some(race) if !(upgraded && race.has_led()) => race.reason(),
            _ if better => Reason::Probe,
            _ => Reason::Server,
        }
    }

    /// Nothing is due any more.
    pub(super) fn relax(&mut self, now: Instant) {
        self.awaited = None;
        self.silence = None;
        self.turns = Turns::default();
        if self.trial.under_way().is_none() {
            self.timers.clear(Timer::HeadStart);
        }
        if let Some(kind) = self.followed_way().map(|way| way.kind) {
            self.standing.answer(kind, now);
        }
        for timer in [Timer::Answer, Timer::Step, Timer::Hop, Timer::Alarm] {
            self.timers.clear(timer);
        }
        if let Some(race) = &mut self.race {
            race.answer();
        }
        self.settle_round(now);
        self.settle_relay(now);
        self.plan_round(now);
    }
}
