//! When a login beside the session may start, by which connection, and when it has to end.
//!
//! One at a time, and only on an alarm, or where a session that goes over ssh has lost it. A host that refused one is asked
//! again only once the network has changed: it may count the tries, and shut everybody out in the end.

use std::mem::take;
use std::time::{Duration, Instant};

/// A login that takes longer hangs in a network that is gone.
const LIFE: Duration = Duration::from_secs(15);

/// Until then it may be on its way: two alarms are farther apart, but one that no alarm has asked for may just have begun.
const YOUTH: Duration = Duration::from_secs(5);

/// Of those that a host may have counted, so many in that time. fail2ban shuts out after five in ten minutes.
const DOUBTFUL_MAXIMUM: usize = 3;
const DOUBTFUL_PERIOD: Duration = Duration::from_secs(600);

/// Between two logins that no alarm has asked for, doubled each time until the network changes: a host may end each of them.
const FIRST_GAP: Duration = Duration::from_secs(3);
const LAST_GAP: Duration = Duration::from_secs(60);

/// What was told to end, and has not by then, does not listen.
const TIME_TO_END: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Its own. A silence may be a change of the network that this machine cannot see, and whatever was connected before
    /// is dead then.
    Own,
    /// That of a master which is there already, and no other.
    Master,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Served,
    /// Perhaps for want of a network.
    Failed,
    /// Whoever tries again in the same way is refused again.
    Refused,
    /// One or the other.
    Doubtful,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Start(Connection),
    /// And to say so once it has ended.
    End,
    Kill,
    /// Whether there is a master.
    FindMaster,
}

#[derive(Debug)]
pub(crate) struct Occasions {
    /// Of the next login; none while that would be refused.
    next: Option<Connection>,
    login: Option<Login>,
    /// An alarm came while the former login had still to end.
    is_due: bool,
    network_has_changed: bool,
    /// Before which none starts without an alarm, and how long after that the next may.
    early: Option<Instant>,
    gap: Duration,
    /// Whoever logs in begins another session, or asks for one that has ended.
    is_over: bool,
    /// When the last that were doubtful ended.
    doubtful: Vec<Instant>,
}

#[derive(Debug)]
struct Login {
    /// What its end tells about: nothing, if it began the session, or in another network.
    tries: Option<Connection>,
    is_told_to_end: bool,
    deadline: Option<Instant>,
    /// Until when no alarm ends it.
    is_young_until: Option<Instant>,
}

impl Occasions {
    /// While the login that began the session still runs, which may take its time.
    pub(crate) fn beside_the_first() -> Self {
        let first = Login { tries: None, is_told_to_end: false, deadline: None, is_young_until: None };
        let next = Some(Connection::Own);
        Self {
            next,
            login: Some(first),
            is_due: false,
            network_has_changed: false,
            early: None,
            gap: FIRST_GAP,
            is_over: false,
            doubtful: Vec::new(),
        }
    }

    pub(crate) fn is_beside_the_first(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.tries.is_none() && !login.is_told_to_end)
    }

    /// Every path is silent. A login that still runs since the last time hangs, and gives way.
    pub(crate) fn alarm(&mut self, now: Instant) -> Option<Task> {
        let connection = self.next.filter(|_| !self.is_tried_enough(now))?;
        let Some(login) = &self.login else { return Some(self.start(connection, now)) };
        if !login.is_told_to_end && login.is_young_until.is_some_and(|until| now < until) {
            return None;
        }
        self.is_due = true;
        self.end(now)
    }

    /// Before any alarm, since the session has no other way.
    pub(crate) fn early(&mut self, now: Instant) -> Option<Task> {
        let is_under_way = self.login.as_ref().is_some_and(|login| !login.is_told_to_end);
        if is_under_way || self.is_due || self.early.is_some_and(|early| now < early) {
            return None;
        }
        self.early = Some(now + self.gap);
        self.gap = LAST_GAP.min(self.gap * 2);
        self.alarm(now)
    }

    /// The host begins a session with every login, or has said that this one has ended.
    pub(crate) fn are_over(&mut self, now: Instant) -> Option<Task> {
        (self.is_over, self.next) = (true, None);
        self.end(now)
    }

    /// What was learnt of the network before no longer counts.
    pub(crate) fn network_changed(&mut self, now: Instant) -> Option<Task> {
        let next = (!self.is_over).then_some(Connection::Own);
        (self.next, self.is_due, self.network_has_changed) = (next, false, true);
        (self.early, self.gap) = (None, FIRST_GAP);
        self.doubtful.clear();
        if self.is_beside_the_first() {
            return None;
        }
        self.login.iter_mut().for_each(|login| login.tries = None);
        self.end(now)
    }

    pub(crate) fn ended(&mut self, how: Ended, now: Instant) -> Option<Task> {
        let login = self.login.take()?;
        let former = self.next;
        match (login.tries, how) {
            (Some(Connection::Own), Ended::Refused)
            | (Some(Connection::Master), Ended::Refused | Ended::Failed | Ended::Doubtful) => {
                self.next = None;
            }
            (Some(Connection::Own), Ended::Doubtful) => self.doubtful.push(now),
            _ => {}
        }
        let is_due = take(&mut self.is_due) && !self.is_tried_enough(now);
        match self.next {
            Some(connection) => is_due.then(|| self.start(connection, now)),
            None => self.may_find_master(former).then_some(Task::FindMaster),
        }
    }

    pub(crate) fn found_master(&mut self) {
        if self.next.is_none() && !self.network_has_changed && !self.is_over {
            self.next = Some(Connection::Master);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.login.as_ref()?.deadline
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Task> {
        let login = self.login.as_mut()?;
        if login.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        if login.is_told_to_end {
            login.deadline = None;
            return Some(Task::Kill);
        }
        self.end(now)
    }

    /// One that has been told more than it should, as one that takes too long.
    pub(crate) fn end(&mut self, now: Instant) -> Option<Task> {
        let login = self.login.as_mut().filter(|login| !login.is_told_to_end)?;
        login.is_told_to_end = true;
        login.deadline = Some(now + TIME_TO_END);
        Some(Task::End)
    }

    fn is_tried_enough(&mut self, now: Instant) -> bool {
        self.doubtful.retain(|&ended| now < ended + DOUBTFUL_PERIOD);
        self.doubtful.len() >= DOUBTFUL_MAXIMUM
    }

    fn start(&mut self, connection: Connection, now: Instant) -> Task {
        let (deadline, is_young_until) = (Some(now + LIFE), Some(now + YOUTH));
        self.login = Some(Login { tries: Some(connection), is_told_to_end: false, deadline, is_young_until });
        Task::Start(connection)
    }

    fn may_find_master(&self, former: Option<Connection>) -> bool {
        former == Some(Connection::Own) && !self.network_has_changed && !self.is_over
    }
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;

    const OWN: Option<Task> = Some(Task::Start(Connection::Own));
    const MASTER: Option<Task> = Some(Task::Start(Connection::Master));

    fn after_the_first() -> (Occasions, Instant) {
        let (mut occasions, now) = (Occasions::beside_the_first(), clock::now());
        assert_eq!(occasions.ended(Ended::Served, now), None);
        (occasions, now)
    }

    fn refused() -> (Occasions, Instant) {
        let (mut occasions, now) = after_the_first();
        assert_eq!(occasions.alarm(now), OWN);
        assert_eq!(occasions.ended(Ended::Refused, now), Some(Task::FindMaster));
        (occasions, now)
    }

    #[test]
    fn each_alarm_is_an_occasion_and_nothing_else_is() {
        let (mut occasions, now) = after_the_first();
        for how in [Ended::Served, Ended::Failed, Ended::Served] {
            assert_eq!(occasions.handle_timeout(now), None);
            assert_eq!(occasions.alarm(now), OWN);
            assert_eq!(occasions.ended(how, now), None);
        }
        assert_eq!(occasions.network_changed(now), None);
        assert_eq!(occasions.deadline(), None);
    }

    #[test]
    fn one_that_hangs_is_gone_before_the_next_starts() {
        let (mut occasions, now) = after_the_first();
        occasions.alarm(now);
        let later = now + YOUTH;
        assert_eq!(occasions.alarm(later), Some(Task::End));
        assert_eq!(occasions.alarm(later), None, "it has been told");
        assert_eq!(occasions.ended(Ended::Failed, later), OWN);
        assert_eq!(occasions.ended(Ended::Failed, later), None);
    }

    #[test]
    fn an_alarm_does_not_end_one_that_has_just_begun() {
        let (mut occasions, now) = after_the_first();
        assert_eq!(occasions.early(now), OWN);
        assert_eq!(occasions.alarm(now + YOUTH - Duration::from_millis(1)), None);
        assert_eq!(occasions.ended(Ended::Failed, now + YOUTH), None, "nor is another due");
        assert_eq!(occasions.early(now + YOUTH), OWN);
        assert_eq!(occasions.alarm(now + 2 * YOUTH), Some(Task::End));
    }

    #[test]
    fn the_first_login_gives_way_like_any_other_but_has_its_time() {
        let (mut occasions, now) = (Occasions::beside_the_first(), clock::now());
        assert!(occasions.is_beside_the_first() && occasions.deadline().is_none());
        assert_eq!(occasions.network_changed(now), None);
        assert_eq!(occasions.alarm(now), Some(Task::End));
        assert!(!occasions.is_beside_the_first());
        assert_eq!(occasions.ended(Ended::Refused, now), OWN, "it was not refused: the session runs");
    }

    #[test]
    fn none_lives_long_and_one_that_does_not_listen_is_killed() {
        let (mut occasions, now) = after_the_first();
        occasions.alarm(now);
        assert_eq!(occasions.deadline(), Some(now + LIFE));
        assert_eq!(occasions.handle_timeout(now + LIFE - Duration::from_millis(1)), None);
        assert_eq!(occasions.handle_timeout(now + LIFE), Some(Task::End));
        let killed = now + LIFE + TIME_TO_END;
        assert_eq!(occasions.deadline(), Some(killed));
        assert_eq!(occasions.handle_timeout(killed), Some(Task::Kill));
        assert_eq!(occasions.deadline(), None);
        assert_eq!(occasions.ended(Ended::Failed, killed), None, "no alarm came");
    }

    #[test]
    fn after_a_refusal_there_is_none_until_the_network_changes() {
        let (mut occasions, now) = refused();
        assert_eq!(occasions.alarm(now), None);
        assert_eq!(occasions.network_changed(now), None, "a change is no occasion");
        assert_eq!(occasions.alarm(now), OWN);
        assert_eq!(occasions.ended(Ended::Refused, now), None, "a master is of another network");
        occasions.found_master();
        assert_eq!(occasions.alarm(now), None);
    }

    #[test]
    fn of_those_that_may_have_been_refused_there_are_few_in_ten_minutes() {
        let (mut occasions, now) = after_the_first();
        for _ in 0..DOUBTFUL_MAXIMUM {
            assert_eq!(occasions.alarm(now), OWN);
            assert_eq!(occasions.ended(Ended::Doubtful, now), None);
        }
        assert_eq!(occasions.alarm(now + DOUBTFUL_PERIOD - Duration::from_millis(1)), None);
        assert_eq!(occasions.alarm(now + DOUBTFUL_PERIOD), OWN);
        occasions.ended(Ended::Failed, now);
        assert_eq!(occasions.network_changed(now), None);
        assert_eq!(occasions.alarm(now), OWN, "in another network nobody has counted");
    }

    #[test]
    fn without_an_alarm_they_are_ever_fewer_until_the_network_changes() {
        let (mut occasions, now) = after_the_first();
        let mut at = now;
        for gap in [3, 6, 12, 24, 48, 60, 60].map(Duration::from_secs) {
            assert_eq!(occasions.early(at), OWN);
            assert_eq!(occasions.early(at), None, "one is under way");
            assert_eq!(occasions.ended(Ended::Failed, at), None);
            assert_eq!(occasions.early(at + gap - Duration::from_millis(1)), None);
            at += gap;
        }
        assert_eq!(occasions.network_changed(now), None);
        assert_eq!(occasions.early(now), OWN);
        assert_eq!(occasions.network_changed(now), Some(Task::End));
        assert_eq!(occasions.early(now), None, "the former has still to end");
        assert_eq!(occasions.ended(Ended::Failed, now), OWN);
    }

    #[test]
    fn where_each_login_begins_a_session_there_is_none_any_more() {
        let (mut occasions, now) = after_the_first();
        assert_eq!(occasions.early(now), OWN);
        assert_eq!(occasions.are_over(now), Some(Task::End));
        assert_eq!(occasions.ended(Ended::Served, now), None);
        occasions.found_master();
        assert_eq!((occasions.alarm(now), occasions.network_changed(now)), (None, None));
        assert_eq!((occasions.alarm(now), occasions.early(now)), (None, None));
    }

    #[test]
    fn a_refusal_counts_even_if_the_next_was_due() {
        let (mut occasions, now) = after_the_first();
        occasions.alarm(now);
        occasions.alarm(now + YOUTH);
        assert_eq!(occasions.ended(Ended::Refused, now + YOUTH), Some(Task::FindMaster));
        assert_eq!(occasions.alarm(now), None);
    }

    #[test]
    fn a_master_serves_whom_a_login_of_its_own_refused_as_long_as_it_serves() {
        let (mut occasions, now) = refused();
        occasions.found_master();
        for _ in 0..2 {
            assert_eq!(occasions.alarm(now), MASTER);
            assert_eq!(occasions.ended(Ended::Served, now), None);
        }
        assert_eq!(occasions.alarm(now), MASTER);
        assert_eq!(occasions.ended(Ended::Failed, now), None);
        assert_eq!(occasions.alarm(now), None);
    }

    #[test]
    fn a_master_is_left_with_its_network() {
        let (mut occasions, now) = refused();
        occasions.found_master();
        assert_eq!(occasions.alarm(now), MASTER);
        assert_eq!(occasions.network_changed(now), Some(Task::End));
        assert_eq!(occasions.ended(Ended::Failed, now), None);
        assert_eq!(occasions.alarm(now), OWN);
    }
}
