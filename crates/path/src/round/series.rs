//! In which ways rounds are tried, one after the other, until something works or all have failed.

use std::collections::BTreeSet;

/// What a round begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Approach {
    /// Datagrams of ours.
    Primed,
    /// The host's openers.
    HostFirst,
    /// A mapping, and then the host's openers.
    Mapped,
}

use Approach::{HostFirst, Mapped, Primed};

/// The quickest to do harm is the last: a mapping is something that a router has to keep.
const FIRST: [Approach; 3] = [Primed, HostFirst, Mapped];

/// A datagram of ours that came too early at a router that keeps it has given mosh-server's port away, whoever the openers are
/// for, until that forgets. Openers that come too early spoil a fresh socket and nothing else.
const LATER: [Approach; 3] = [HostFirst, Primed, Mapped];

#[derive(Debug, Default)]
pub(super) struct Series {
    /// In this one.
    failed: BTreeSet<Approach>,
    /// What was learnt is to be made use of.
    is_to_be_primed: bool,
    /// It was, in this one.
    was_primed_again: bool,
    /// There was another one, and no change since.
    is_later: bool,
    /// Last.
    worked: Option<Approach>,
}

/// What a round that has failed was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) approach: Approach,
    /// The host had a part in it, or could have none.
    pub(super) was_tried: bool,
    /// The host has told of an address that was not primed. A router of ours that keeps what is early has kept its openers.
    pub(super) has_learnt: bool,
}

impl Series {
    /// Of the next round. What has worked is tried first.
    pub(super) fn next(&self) -> Approach {
        if self.is_to_be_primed {
            return Primed;
        }
        let order = if self.is_later { LATER } else { FIRST };
        let mut order = self.worked.into_iter().chain(order);
        order.find(|approach| !self.failed.contains(approach)).unwrap_or(Primed)
    }

    /// Whether the series is over.
    pub(super) fn fail(&mut self, failed: Failed) -> bool {
        self.is_to_be_primed = failed.has_learnt && self.primes_again();
        if self.is_to_be_primed {
            self.was_primed_again = true;
            return false;
        }
        self.failed.insert(failed.approach);
        let is_over = !failed.was_tried || FIRST.iter().all(|approach| self.failed.contains(approach));
        if is_over {
            *self = Self { is_later: true, worked: self.worked, ..Self::default() };
        }
        is_over
    }

    /// Whether a round that learns an address is begun again with that: once a series, whatever the host tells.
    pub(super) fn primes_again(&self) -> bool {
        !self.was_primed_again
    }

    pub(super) fn work(&mut self, approach: Approach) {
        *self = Self { worked: Some(approach), ..Self::default() };
    }

    /// There is reason to try again.
    pub(super) fn renew(&mut self) {
        (self.is_later, self.was_primed_again) = (false, false);
    }

    /// In another network all is tried again, and a mapping asked for where nothing else works.
    pub(super) fn forget(&mut self) {
        self.failed.clear();
        self.worked.take_if(|worked| *worked == Mapped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(series: &mut Series, has_learnt: bool) -> (Approach, bool) {
        let approach = series.next();
        (approach, series.fail(Failed { approach, was_tried: true, has_learnt }))
    }

    fn all(series: &mut Series) -> Vec<Approach> {
        let mut tried = Vec::new();
        loop {
            let (approach, is_over) = fail(series, false);
            tried.push(approach);
            if is_over {
                return tried;
            }
        }
    }

    #[test]
    fn the_laptop_begins_and_later_the_host_does_until_there_is_a_change() {
        let mut series = Series::default();
        assert_eq!(all(&mut series), FIRST);
        assert_eq!(all(&mut series), LATER);
        assert_eq!(all(&mut series), LATER);
        series.renew();
        assert_eq!(all(&mut series), FIRST);
    }

    #[test]
    fn what_worked_is_the_first_to_be_tried_again() {
        for worked in FIRST {
            let mut series = Series::default();
            fail(&mut series, false);
            series.work(worked);
            let tried = all(&mut series);
            assert_eq!((tried[0], tried.len()), (worked, 3));
            assert_eq!(all(&mut series)[0], worked, "it may work again");
        }
    }

    #[test]
    fn in_another_network_a_mapping_is_the_last_again() {
        let mut series = Series::default();
        series.work(Mapped);
        series.forget();
        assert_eq!(all(&mut series), FIRST);
        series.work(HostFirst);
        series.forget();
        assert_eq!(all(&mut series)[0], HostFirst);
    }

    #[test]
    fn what_was_learnt_is_primed_once_a_series() {
        let mut series = Series::default();
        assert_eq!(fail(&mut series, true), (Primed, false));
        assert_eq!(fail(&mut series, true), (Primed, false));
        assert_eq!(all(&mut series), [HostFirst, Mapped]);
        assert_eq!(fail(&mut series, true), (HostFirst, false));
        assert_eq!(fail(&mut series, true), (Primed, false));
        assert_eq!(all(&mut series), [HostFirst, Mapped]);
    }

    #[test]
    fn where_nothing_could_be_tried_it_is_over() {
        let mut series = Series::default();
        assert!(series.fail(Failed { approach: Primed, was_tried: false, has_learnt: false }));
    }
}
