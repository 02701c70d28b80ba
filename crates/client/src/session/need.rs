//! How long channels are needed: no longer than a session over a direct path costs with mosh.

use std::time::{Duration, Instant};

use path::Kind;

/// A path that has just been found may be lost again: to a firewall that lets the first datagrams through, to a laptop that
/// is carried out of the house.
const ON_A_DIRECT_PATH: Duration = Duration::from_secs(30);

/// A hole that is silent for longer is lost: two round trips of a slow network.
const FOR_A_HOLE: Duration = Duration::from_millis(500);

/// A direct path that is there at all is found by now.
const FOR_A_MOMENT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Need {
    way: Way,
    /// The host has told all that it knows of where it can be reached.
    told_all_at: Option<Instant>,
}

/// By which the session goes, and since when.
#[derive(Debug, Default, Clone, Copy)]
enum Way {
    #[default]
    Unknown,
    Carried(Instant),
    /// It goes by UDP, and is to be opened by the host again after a sleep, or in another network.
    Punched(Hole),
    Direct(Instant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    Open,
    /// Nothing comes through any more; when it is lost.
    Silent(Instant),
    Lost,
}

impl Need {
    pub(crate) fn moved(&mut self, to: Kind, now: Instant) {
        self.way = match (to, self.way) {
            (Kind::Carried, Way::Carried(since)) => Way::Carried(since),
            (Kind::Carried, _) => Way::Carried(now),
            (Kind::Punched | Kind::Relayed, _) => Way::Punched(Hole::Open),
            (Kind::Lan | Kind::Global | Kind::Mapped | Kind::Resolved, Way::Direct(since)) => {
                Way::Direct(since)
            }
            (Kind::Lan | Kind::Global | Kind::Mapped | Kind::Resolved, _) => Way::Direct(now),
        };
    }

    /// A direct path has yet to show that it is still one.
    pub(crate) fn fell_silent(&mut self, now: Instant) {
        match &mut self.way {
            Way::Direct(since) => *since = now,
            Way::Punched(hole @ Hole::Open) => *hole = Hole::Silent(now + FOR_A_HOLE),
            Way::Punched(Hole::Silent(_) | Hole::Lost) | Way::Unknown | Way::Carried(_) => {}
        }
    }

    /// By UDP.
    pub(crate) fn was_answered(&mut self) {
        if let Way::Punched(hole) = &mut self.way {
            *hole = Hole::Open;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.way {
            Way::Punched(Hole::Silent(until)) => Some(until),
            _ => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|until| until <= now) {
            self.way = Way::Punched(Hole::Lost);
        }
    }

    pub(crate) fn told(&mut self, is_all: bool, now: Instant) {
        self.told_all_at = is_all.then(|| self.told_all_at.unwrap_or(now));
    }

    /// Whether datagrams go over ssh, or nowhere.
    pub(crate) fn is_urgent(&self) -> bool {
        matches!(self.way, Way::Unknown | Way::Carried(_) | Way::Punched(Hole::Lost))
    }

    /// Whether a change of the network leaves it without a way, unless the host helps.
    pub(crate) fn is_urgent_after_a_change(&self) -> bool {
        !matches!(self.way, Way::Direct(_))
    }

    /// When a channel that carries is one that is to stay.
    pub(crate) fn stays(&self) -> Option<Instant> {
        match self.way {
            Way::Carried(since) => Some(since + FOR_A_MOMENT),
            Way::Unknown | Way::Punched(_) | Way::Direct(_) => None,
        }
    }

    /// When there is none any more.
    pub(crate) fn ends(&self) -> Option<Instant> {
        match self.way {
            Way::Direct(since) => Some(self.told_all_at?.max(since + ON_A_DIRECT_PATH)),
            Way::Unknown | Way::Carried(_) | Way::Punched(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;

    fn told_all() -> (Need, Instant) {
        let (mut need, now) = (Need::default(), clock::now());
        need.told(true, now);
        (need, now)
    }

    #[test]
    fn while_it_carries_it_is_needed() {
        let (mut need, now) = told_all();
        assert_eq!(need.ends(), None, "no path is known");
        need.moved(Kind::Carried, now);
        assert_eq!((need.ends(), need.is_urgent()), (None, true));
        need.moved(Kind::Mapped, now);
        assert_eq!((need.ends(), need.is_urgent()), (Some(now + ON_A_DIRECT_PATH), false));
        need.moved(Kind::Carried, now);
        assert_eq!(need.ends(), None);
    }

    #[test]
    fn over_a_hole_it_is_needed_and_not_urgent_before_a_change() {
        let (mut need, now) = told_all();
        need.moved(Kind::Punched, now);
        assert_eq!((need.ends(), need.stays()), (None, None));
        assert_eq!((need.is_urgent(), need.is_urgent_after_a_change()), (false, true));
        need.moved(Kind::Mapped, now);
        assert!(!need.is_urgent_after_a_change());
        need.moved(Kind::Punched, now + FOR_A_MOMENT);
        need.moved(Kind::Mapped, now + FOR_A_MOMENT);
        assert_eq!(need.ends(), Some(now + FOR_A_MOMENT + ON_A_DIRECT_PATH));
    }

    #[test]
    fn a_hole_that_is_silent_for_more_than_a_moment_is_lost_until_it_answers() {
        let (mut need, now) = told_all();
        need.moved(Kind::Punched, now);
        for _ in 0..2 {
            need.fell_silent(now);
            let lost = now + FOR_A_HOLE;
            assert_eq!((need.deadline(), need.is_urgent()), (Some(lost), false));
            need.handle_timeout(lost - Duration::from_millis(1));
            assert!(!need.is_urgent());
            need.fell_silent(lost);
            need.handle_timeout(lost);
            assert_eq!((need.deadline(), need.is_urgent()), (None, true));
            need.was_answered();
            assert!(!need.is_urgent());
        }
        need.fell_silent(now);
        need.was_answered();
        assert_eq!(need.deadline(), None);
    }

    #[test]
    fn what_carries_for_more_than_a_moment_is_to_stay() {
        let (mut need, now) = told_all();
        assert_eq!(need.stays(), None);
        need.moved(Kind::Carried, now);
        need.moved(Kind::Carried, now + FOR_A_MOMENT);
        assert_eq!(need.stays(), Some(now + FOR_A_MOMENT));
        need.moved(Kind::Lan, now);
        assert_eq!(need.stays(), None);
    }

    #[test]
    fn a_better_direct_path_does_not_prolong_it_and_a_silence_does() {
        let (mut need, now) = told_all();
        let later = now + Duration::from_secs(20);
        need.fell_silent(now);
        assert_eq!(need.ends(), None);
        need.moved(Kind::Mapped, now);
        need.moved(Kind::Lan, later);
        assert_eq!(need.ends(), Some(now + ON_A_DIRECT_PATH));
        need.fell_silent(later);
        assert_eq!(need.ends(), Some(later + ON_A_DIRECT_PATH));
    }

    #[test]
    fn what_the_host_has_yet_to_tell_is_waited_for() {
        let (mut need, now) = (Need::default(), clock::now());
        let later = now + Duration::from_secs(40);
        need.moved(Kind::Lan, now);
        need.told(false, now);
        assert_eq!(need.ends(), None);
        need.told(true, later);
        assert_eq!(need.ends(), Some(later));
        need.told(true, later + ON_A_DIRECT_PATH);
        assert_eq!(need.ends(), Some(later));
    }
}
