//! Over which ways a datagram goes.

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use super::{Agent, MAX_COPIES};
use crate::event::{Transmit, WayId};
use crate::policy::Upgrade;
use crate::race::Race;
use crate::relay::MAX_RELAYED;
use crate::silence::Silence;
use crate::sockets::Purpose;
use crate::timer::Timer;
use crate::trial::Tried;
use crate::turns::Turn;
use crate::ways::Way;

impl Agent {
    /// Whether it is open which way works.
    pub(super) fn seeks(&self) -> bool {
        self.followed.is_none() || self.race.as_ref().is_some_and(|race| !Race::is_answered(race))
    }

    /// A new datagram goes the way that the server uses.
    pub(super) fn follow(&mut self, followed: &Way, racing: bool, now: Instant) {
        match followed.kind.policy().upgrade {
            Upgrade::ByCopies if racing => self.transmit(|way| !way.is_last_resort(), now),
            Upgrade::ByCopies => {
                let probing = self.probe.take(now);
                let better = |way: &Way| probing && way.rank() < followed.rank();
                self.transmit(|way| way.id == followed.id || better(way), now);
            }
            Upgrade::ByTrial => match self.trial.under_way() {
                Some(tried) => self.follow_later(followed, tried, now),
                None => self.transmit(|way| way.id == followed.id, now),
            },
        }
    }

    /// A new datagram goes over all ways, or over those whose turn it is.
    pub(super) fn seek(&mut self, now: Instant) {
        let Some(head_start) = self.ways.last_resort().map(|way| way.kind.policy().head_start) else {
            return self.transmit(|_| true, now);
        };
        let turn = self.turns.take(self.silence.is_some());
        self.transmit(|way| way.is_last_resort() == (turn == Turn::LastResort), now);
        self.give_head_start(head_start, now);
    }

    /// The newest datagram goes over all ways once more, for what is known of them may be wrong.
    pub(super) fn spread(&mut self, now: Instant) {
        let head_start = self.ways.last_resort().map(|way| way.kind.policy().head_start);
        match head_start.filter(|_| self.silence.is_none()) {
            Some(head_start) => {
                self.transmit(|way| !way.is_last_resort(), now);
                self.give_head_start(head_start, now);
            }
            None => self.transmit(|_| true, now),
        }
    }

    /// No answer came in time. A datagram that was lost is no reason to leave for a channel; where the answer was `sought`
    /// over all ways, there is.
    pub(super) fn look_elsewhere(&mut self, sought: bool, now: Instant) {
        let (followed, last_resort_has_newest) = (self.followed, self.ways.last_resort_has_newest());
        let carried = self.followed_way().is_some_and(Way::is_last_resort);
        let last_resort = self.ways.last_resort().map(|way| way.kind.policy().head_start);
        match last_resort.filter(|_| !sought && !carried) {
            Some(head_start) => {
                self.transmit(|way| Some(way.id) != followed && !way.is_last_resort(), now);
                self.give_head_start(head_start, now);
                self.turns.was(Turn::LastResort);
                self.nudge(now);
            }
            None => {
                self.transmit(|way| Some(way.id) != followed, now);
                self.turns.was(if carried { Turn::LastResort } else { Turn::Better });
                if last_resort_has_newest && !carried {
                    self.nudge(now);
                }
            }
        }
    }

    pub(super) fn give_head_start(&mut self, head_start: Duration, now: Instant) {
        if self.ways.newest_is_under_way() {
            self.timers.set_no_later(Timer::HeadStart, now + head_start);
        } else {
            self.transmit(|_| true, now);
        }
    }

    /// How much later than others the followed way gets a datagram.
    pub(super) fn head_start(&self) -> Duration {
        let follows_later = self.seeks() || self.trial.under_way().is_some();
        let followed = self.followed_way().filter(|_| follows_later);
        followed.map_or(Duration::ZERO, |way| way.kind.policy().head_start)
    }

    pub(super) fn end_head_start(&mut self, now: Instant) {
        if self.trial.end() {
            return self.nudge(now);
        }
        self.turns.overdue();
        self.transmit(|way| !way.has_newest, now);
        if self.silence.is_some() && self.turns.last() == Some(Turn::Better) {
            self.nudge(now);
        }
    }

    fn follow_later(&mut self, followed: &Way, tried: Tried, now: Instant) {
        let better: Vec<WayId> = match tried {
            Tried::BetterRanks => self.better_than(followed, now),
            Tried::Channel(channel) => vec![channel],
        };
        self.transmit(|way| better.contains(&way.id), now);
        if self.ways.newest_is_under_way() {
            return self.timers.set_no_later(Timer::HeadStart, now + followed.kind.policy().head_start);
        }
        self.trial.end();
        self.transmit(|way| way.id == followed.id, now);
    }

    /// The newest datagram goes over the wanted of those paths that are of use: by the newest sockets, by the flows that are
    /// known on the way, and by channels that do not have it yet.
    pub(super) fn transmit(&mut self, wanted: impl Fn(&Way) -> bool, now: Instant) {
        let wanted = self.ways.ranked(wanted);
        self.transmit_over(wanted, now);
    }

    fn transmit_over(&mut self, mut ways: Vec<Way>, now: Instant) {
        let flows = LazyCell::new(|| self.ways.flows());
        let is_flow = |way: &Way| flows.iter().any(|flow| flow.id == way.id);
        let of_use = |way: &Way| match way.socket() {
            Some(socket) => self.sockets.is_current(socket) || is_flow(way),
            None => way.kind.policy().repeats || !way.has_newest,
        };
        ways.retain(of_use);
        if self.silence.as_ref().is_some_and(Silence::flows_first) {
            ways.sort_by_key(|way| (way.rank(), !is_flow(way)));
        }
        let most = MAX_COPIES + ways.iter().filter(|way| way.is_relayed()).count().min(MAX_RELAYED);
        if ways.len() > most {
            let is_of_round =
                |way: &Way| way.socket().is_some_and(|socket| self.sockets.is_for(Purpose::Round, socket));
            let is_kept =
                |way: &Way| is_flow(way) || is_of_round(way) || way.is_relayed() || way.is_last_resort();
            let mut others = most - ways.iter().filter(|way| is_kept(way)).count();
            ways.retain(|way| {
                let has_room = is_kept(way) || others > 0;
                others -= usize::from(has_room && !is_kept(way));
                has_room
            });
        }
        let queued = |transmit: &Transmit| self.transmits.contains(transmit);
        let room = most.saturating_sub(self.transmits.len());
        ways.retain(|way| !queued(&way.transmit()));
        ways.truncate(room);
        let lag = self.rhythm.since_datagram(now);
        ways.iter().for_each(|way| self.ways.send(way.id, lag));
        self.transmits.extend(ways.iter().map(Way::transmit));
    }
}
