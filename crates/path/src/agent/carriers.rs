//! Channels that carry datagrams.

use std::time::Instant;

use super::Agent;
use crate::candidate::Kind;
use crate::event::{Route, WayId};

impl Agent {
    /// A channel to the host is up that carries datagrams. Another one may be, too.
    pub fn handle_carrier(&mut self, now: Instant) -> WayId {
        self.observe(now);
        let carrier = self.ways.add(Kind::Carried, Route::Carried);
        if self.race.is_some() && self.awaited.is_some() {
            self.transmit(|way| way.id == carrier);
        }
        self.nudge_if_silent(now);
        carrier
    }

    /// It has ended. One that is merely slow has not.
    pub fn handle_carrier_gone(&mut self, carrier: WayId, now: Instant) {
        self.observe(now);
        self.remove_ways(|way| way.id == carrier && way.route == Route::Carried, now);
    }
}
