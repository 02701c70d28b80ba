//! Channels that carry datagrams.

use std::time::Instant;

use super::Agent;
use crate::candidate::Kind;
use crate::event::{Route, WayId};
use crate::turns::Turn;
use crate::ways::Way;

impl Agent {
    /// A channel to the host is up that carries datagrams. Beside it there may be one that is no longer trusted; a third
    /// takes the place of the older one, unless that is followed.
    pub fn handle_carrier(&mut self, now: Instant) -> WayId {
        self.observe(now);
        if let Some(surplus) = self.ways.surplus_carrier(self.followed) {
            self.remove_ways(|way| way.id == surplus, now);
        }
        let carrier = self.ways.add(Kind::Carried, Route::Carried);
        if self.silence.is_some() {
            self.transmit(|way| way.id == carrier, now);
            self.turns.was(Turn::Better);
            self.nudge(now);
        } else if !self.seeks() {
            self.hurry_trials(now);
        } else if let Some(awaited) = self.awaited {
            let waited = now.saturating_duration_since(awaited.since);
            let head_start = Kind::Carried.policy().head_start;
            self.give_head_start(head_start.saturating_sub(waited), now);
        }
        carrier
    }

    /// It has ended. One that is merely slow has not.
    pub fn handle_carrier_gone(&mut self, carrier: WayId, now: Instant) {
        self.observe(now);
        self.remove_ways(|way| way.id == carrier && way.route == Route::Carried, now);
    }

    /// Whether what came over this way was sent before the server could know of the better one that is followed. Whatever
    /// goes there is awaited, and found missing if the server does not get it.
    pub(super) fn is_late(&self, way: WayId) -> bool {
        let yields = |way: &Way| self.followed_way().is_some_and(|followed| way.yields_to(followed));
        !self.seeks() && self.ways.find(way).is_some_and(yields)
    }
}
