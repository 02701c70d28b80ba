//! What is done once a gateway seems to have restarted.
//!
//! PCP and NAT-PMP tell it by their epoch, and are asked at once. By UPnP it is heard from what the gateway notifies
//! everybody of, which anybody can forge, and which every keeper of every host hears in the same moment.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::super::speaker::Speaker;
use super::super::values::Protocol;
use super::{Mapper, State};
use crate::random::Random;

/// However often a gateway notifies, it is asked no more often than this.
const INTERVAL: Duration = Duration::from_secs(10);

/// Over so long many keepers spread their questions; a slow router answers some tens of them.
const SPREAD: Duration = Duration::from_secs(1);

/// When a gateway is to be looked at for what it notified.
#[derive(Debug, Default)]
pub(super) struct Restart {
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Restart {
    fn suspect(&mut self, random: &mut Random, now: Instant) {
        let earliest = self.last.map_or(now, |last| now.max(last + INTERVAL));
        self.due.get_or_insert(earliest + random.up_to(SPREAD));
    }

    fn take(&mut self, now: Instant) {
        (self.due, self.last) = (None, Some(now));
    }
}

impl Mapper {
    /// Whose notifications are worth hearing: of the gateway that holds a mapping by UPnP.
    #[must_use]
    pub fn notifying_gateway(&self) -> Option<IpAddr> {
        let record = self.held.as_ref().map(|held| &held.record);
        let record = record.filter(|record| record.protocol == Protocol::Upnp && !self.is_leaving())?;
        match self.settings.gateway.filter(IpAddr::is_ipv6) {
            // It writes another address into its URLs than it sends from.
            Some(link_local) if self.settings.internal.is_ipv6() => Some(link_local),
            _ => Some(record.control.gateway()),
        }
    }

    pub(super) fn restarted(&mut self, index: usize, now: Instant) {
        match self.speakers[index].protocol {
            Protocol::Upnp => self.suspect_restart(index, now),
            Protocol::Pcp | Protocol::NatPmp if self.chosen == Some(index) => self.renew_after_restart(now),
            Protocol::Pcp | Protocol::NatPmp => self.seen_alive(index, now),
        }
    }

    /// It may have been there all the time; but where it did not answer, it is worth another try.
    pub(super) fn seen_alive(&mut self, index: usize, now: Instant) {
        if matches!(self.state, State::Recovering { .. } | State::Seeking) {
            self.suspect_restart(index, now);
        }
    }

    fn suspect_restart(&mut self, index: usize, now: Instant) {
        let is_held_by = |protocol| self.held.as_ref().is_some_and(|held| held.record.protocol == protocol);
        if is_held_by(self.speakers[index].protocol) {
            self.restart.suspect(&mut self.random, now);
        }
    }

    fn renew_after_restart(&mut self, now: Instant) {
        match self.state {
            State::Holding { .. } | State::Requesting { .. } => self.ask(Speaker::renew, now),
            State::Recovering { .. } => self.seek(now),
            State::Seeking
            | State::HearingOut { .. }
            | State::Ready
            | State::DeletingFromAfar { .. }
            | State::Reserving
            | State::Discarding
            | State::Releasing
            | State::SeekingToRelease
            | State::Undoing
            | State::Ended => {}
        }
    }

    /// While a question is open, its answer is waited for.
    pub(super) fn looks_after_restart_at(&self) -> Option<Instant> {
        let idle = matches!(self.state, State::Holding { .. } | State::Recovering { .. });
        self.restart.due.filter(|_| idle)
    }

    pub(super) fn look_after_restart(&mut self, now: Instant) {
        if self.looks_after_restart_at().is_none_or(|due| now < due) {
            return;
        }
        self.restart.take(now);
        let moved = self.chosen.filter(|&index| self.speakers[index].has_moved());
        match (self.state, moved) {
            (State::Holding { .. }, Some(index)) => {
                self.chosen = None;
                self.state = State::Seeking;
                self.speakers[index].probe(now);
            }
            (State::Holding { .. }, None) => self.check_or_renew(now),
            _ => self.seek(now),
        }
    }
}
