//! When a new mapping is told.
//!
//! Some routers keep one table for all protocols. What one protocol gives back there may be the entry that another has
//! made: a request that miniupnpd (2.3.1, from its source) comes to late takes over the entry of the same client and port,
//! and the deletion behind it deletes that. Until it is made again, another host may have the port. So nobody is told of
//! a port before what others may have made is given back, and what is kept was looked at after it.

use std::time::{Duration, Instant};

use super::super::speaker::Speaker;
use super::super::values::Event;
use super::{Held, Mapper, State};

/// Once a gateway has answered by one protocol, it does not owe an answer by another for much longer.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// A check costs a few answers.
const LOOKING: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Untold {
    gives_back_until: Instant,
    /// Something was given back since the mapping was granted or looked at.
    is_doubtful: bool,
}

impl Untold {
    pub(super) fn new(now: Instant) -> Self {
        Self { gives_back_until: now + GIVING_BACK, is_doubtful: false }
    }

    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    fn tells_at(&self) -> Instant {
        self.gives_back_until + LOOKING
    }
}

impl Mapper {
    /// Looks at what is held once everything is given back, and then tells it; after a while in any case.
    pub(super) fn tell_once_sure(&mut self, now: Instant) {
        let is_giving_back = self.is_giving_back_where_it_is_held();
        let Some(untold) = &mut self.untold else { return };
        let is_holding = matches!(self.state, State::Holding { .. });
        if now >= untold.tells_at() {
            self.tell();
        } else if is_holding && is_giving_back && now < untold.gives_back_until {
            untold.is_doubtful = true;
        } else if is_holding && untold.is_doubtful {
            untold.is_doubtful = false;
            self.ask(Speaker::check, now);
        } else if is_holding {
            self.tell();
        }
    }

    pub(super) fn tell(&mut self) {
        if let (Some(_), Some(held)) = (self.untold.take(), &self.held) {
            let mapping = self.settings.mapping(held);
            self.events.push_back(Event::Mapped(mapping));
        }
    }

    pub(super) fn tells_at(&self) -> Option<Instant> {
        let untold = self.untold.as_ref()?;
        let waits = untold.is_doubtful && matches!(self.state, State::Holding { .. });
        Some(if waits { untold.gives_back_until } else { untold.tells_at() })
    }

    /// What nobody was told of is not kept.
    pub(super) fn take_untold(&mut self) -> Option<Held> {
        self.untold.take().and_then(|_| self.held.take())
    }

    /// Another port is wanted since.
    pub(super) fn discard_untold(&mut self, now: Instant) {
        if let Some(held) = self.take_untold() {
            self.discard(&held.grant, now);
        }
    }

    fn is_giving_back_where_it_is_held(&self) -> bool {
        let Some(held) = &self.held else { return false };
        let gateway = held.record.control.gateway();
        let gives_back = |speaker: &Speaker| {
            (speaker.is_undoing() || speaker.owes_a_deletion())
                && speaker.control().is_some_and(|control| control.gateway() == gateway)
        };
        self.speakers.iter().any(gives_back)
    }
}
