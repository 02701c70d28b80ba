//! The ways to the server: each open socket with each candidate of its family, and each channel that carries.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::candidate::{Candidate, Family, Kind, Rank};
use crate::event::{Route, SocketId, Transmit, WayId};
use crate::policy::Dependence;
use crate::silence::RoundTrip;

/// A path that the server has been heard over is a flow that the NATs on its way know. This many are kept, those that
/// were heard last: after a move there and back the former one, by whichever kind of candidate.
pub const MAX_FLOWS: usize = 4;

/// One in use, and one that was opened beside it because it seems to be dead.
pub const MAX_CARRIERS: usize = 2;

/// A path, under a name that no file has.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub id: WayId,
    pub kind: Kind,
    pub route: Route,
    pub(crate) round_trip: RoundTrip,
    /// How much later than others it got the last datagram.
    pub(crate) lag: Duration,
    /// When the server was last heard over it.
    pub(crate) heard: Option<Instant>,
    /// The kernel did not take the last datagram.
    pub(crate) refused: bool,
    /// mosh-client's newest datagram has gone over it.
    pub(crate) has_newest: bool,
    /// Some datagram has.
    pub(crate) was_used: bool,
}

impl Way {
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank { kind: self.kind, family: self.address().map(Family::of) }
    }

    /// Of the server; `None` where it is carried.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self.route {
            Route::Udp { remote, .. } => Some(remote),
            Route::Carried => None,
        }
    }

    /// Of ours; `None` where it is carried.
    #[must_use]
    pub fn socket(&self) -> Option<SocketId> {
        match self.route {
            Route::Udp { socket, .. } => Some(socket),
            Route::Carried => None,
        }
    }

    /// Where it leads, if that has an address.
    #[must_use]
    pub fn candidate(&self) -> Option<Candidate> {
        self.address().map(|address| Candidate { kind: self.kind, address })
    }

    /// Whether better ways get a head start over it.
    pub(crate) fn is_last_resort(&self) -> bool {
        !self.kind.policy().head_start.is_zero()
    }

    /// Whether an opener may be all that lets it through, from straight ahead.
    pub(crate) fn is_hole(&self) -> bool {
        self.kind.policy().depends_on == Dependence::Openers
    }

    pub(crate) fn is_relayed(&self) -> bool {
        self.kind.policy().depends_on == Dependence::Relay
    }

    /// Whether it tells nothing of its address for other sockets.
    pub(crate) fn needs_opener(&self) -> bool {
        self.is_hole() || self.is_relayed()
    }

    /// Whether the session goes directly by it.
    pub(crate) fn is_direct(&self) -> bool {
        !self.is_last_resort() && !self.is_relayed()
    }

    /// Whether the session leaves it for the other as soon as that works: for a better rank, or a newer channel.
    pub(crate) fn yields_to(&self, other: &Self) -> bool {
        self.is_last_resort() && (other.rank(), Reverse(other.id)) < (self.rank(), Reverse(self.id))
    }

    pub(crate) fn transmit(&self) -> Transmit {
        Transmit { way: self.id, route: self.route }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ways {
    by_id: BTreeMap<WayId, Way>,
    next: u32,
}

impl Ways {
    pub(crate) fn add(&mut self, kind: Kind, route: Route) -> WayId {
        let id = WayId(self.next);
        self.next += 1;
        let (round_trip, lag) = (RoundTrip::default(), Duration::ZERO);
        self.by_id.insert(
            id,
            Way {
                id,
                kind,
                route,
                round_trip,
                lag,
                heard: None,
                refused: false,
                has_newest: false,
                was_used: false,
            },
        );
        id
    }

    pub(crate) fn find(&self, id: WayId) -> Option<&Way> {
        self.by_id.get(&id)
    }

    /// The server has answered over it.
    pub(crate) fn hear(&mut self, id: WayId, now: Instant) {
        if let Some(way) = self.by_id.get_mut(&id) {
            way.heard = Some(now);
        }
    }

    pub(crate) fn refuse(&mut self, id: WayId) {
        if let Some(way) = self.by_id.get_mut(&id) {
            way.refused = true;
        }
    }

    /// A datagram is answered that was sent so long ago.
    pub(crate) fn measure(&mut self, id: WayId, round_trip: Duration) {
        if let Some(way) = self.by_id.get_mut(&id) {
            way.round_trip.sample(round_trip.saturating_sub(way.lag));
        }
    }

    /// The newest datagram goes over it, so long after it was sent, and whatever the kernel said before.
    pub(crate) fn send(&mut self, id: WayId, lag: Duration) {
        if let Some(way) = self.by_id.get_mut(&id) {
            way.lag = lag;
            way.refused = false;
            way.has_newest = true;
            way.was_used = true;
        }
    }

    /// There is a newer one.
    pub(crate) fn forget_newest(&mut self) {
        self.by_id.values_mut().for_each(|way| way.has_newest = false);
    }

    /// Whether the newest datagram has left by any way, as far as the kernel tells.
    pub(crate) fn newest_is_under_way(&self) -> bool {
        self.by_id.values().any(|way| way.has_newest && !way.refused)
    }

    pub(crate) fn last_resort_has_newest(&self) -> bool {
        self.by_id.values().any(|way| way.is_last_resort() && way.has_newest)
    }

    /// The newest of them.
    pub(crate) fn last_resort(&self) -> Option<&Way> {
        self.by_id.values().rfind(|way| way.is_last_resort())
    }

    /// What must go before there is another: the oldest, unless it is followed.
    pub(crate) fn surplus_carrier(&self, followed: Option<WayId>) -> Option<WayId> {
        let carriers = || self.by_id.values().filter(|way| way.route == Route::Carried).map(|way| way.id);
        carriers().find(|&id| Some(id) != followed).filter(|_| carriers().count() >= MAX_CARRIERS)
    }

    pub(crate) fn between(&self, socket: SocketId, remote: SocketAddr) -> Option<&Way> {
        self.by_id.values().find(|way| way.route == Route::Udp { socket, remote })
    }

    /// The candidate turned out to be of another kind, and with it the ways to it by these sockets.
    pub(crate) fn reconsider(&mut self, candidate: Candidate, by: impl Fn(SocketId) -> bool) {
        let leads_there =
            |way: &&mut Way| way.address() == Some(candidate.address) && way.socket().is_some_and(&by);
        self.by_id.values_mut().filter(leads_there).for_each(|way| way.kind = candidate.kind);
    }

    pub(crate) fn any_heard(&self, wanted: impl Fn(&Way) -> bool) -> bool {
        self.by_id.values().any(|way| way.heard.is_some() && wanted(way))
    }

    pub(crate) fn remove_where(&mut self, gone: impl Fn(&Way) -> bool) {
        self.by_id.retain(|_, way| !gone(way));
    }

    /// Those of the [`MAX_FLOWS`] that were heard last.
    pub(crate) fn flows(&self) -> Vec<&Way> {
        let is_flow = |way: &&Way| way.heard.is_some() && way.socket().is_some();
        let mut flows: Vec<_> = self.by_id.values().filter(is_flow).collect();
        flows.sort_by_key(|way| Reverse(way.heard));
        flows.truncate(MAX_FLOWS);
        flows
    }

    /// Whether the kernel takes datagrams by that socket, as far as was tried.
    pub(crate) fn takes(&self, socket: SocketId) -> bool {
        self.by_id.values().any(|way| way.socket() == Some(socket) && !way.refused)
    }

    /// Whether it takes none of those that were tried, though there were some.
    pub(crate) fn refuses(&self, socket: SocketId) -> bool {
        !self.takes(socket) && self.by_id.values().any(|way| way.socket() == Some(socket))
    }

    /// Best first; the newest first among equals.
    pub(crate) fn ranked(&self, wanted: impl Fn(&Way) -> bool) -> Vec<Way> {
        ranked(self.by_id.values().filter(|way| wanted(way)).copied().collect())
    }
}

/// Apart from what chooses them, so that the program has the sort once.
fn ranked(mut ways: Vec<Way>) -> Vec<Way> {
    ways.sort_by_key(|way| (way.rank(), Reverse(way.id)));
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn channels_take_no_flows_place() {
        let (mut ways, now) = (Ways::default(), start());
        let remote = SocketAddr::from(([198, 51, 100, 1], 60_001));
        let by = |socket| Route::Udp { socket: SocketId(socket), remote };
        let flows: Vec<_> = (0..4).map(|socket| ways.add(Kind::Mapped, by(socket))).collect();
        assert_eq!(flows.len(), MAX_FLOWS);
        let carrier = ways.add(Kind::Carried, Route::Carried);
        flows.iter().for_each(|&flow| ways.hear(flow, now));
        ways.hear(carrier, now + Duration::from_secs(1));
        assert_eq!(ways.flows().iter().map(|way| way.id).collect::<Vec<_>>(), flows);
    }
}
