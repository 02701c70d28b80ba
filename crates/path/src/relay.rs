//! A relay that the user has named: how a session goes by UDP where no hole can be punched.
//!
//! The relay gives us an address of its own (RFC 8656 calls this an *allocation*), and passes on what goes by it. To an
//! [`Agent`](crate::Agent) it is one more socket of ours, which is somewhere else. It lets in what comes from where we permit
//! it, so the host's openers reach us there whatever its NAT does, and the way back is open. Nothing on the host is different
//! from a round of hole punching.
//!
//! - It is asked once a round has been under way for [`RELAY_PATIENCE`] since the host's word, and no way by UDP answers;
//!   after a change of the network at once, if it was in use and does not answer.
//! - It lets in every address of the host that is known, but those in a network of the host's own.
//! - The host is asked for openers to there, beside the round. Ways lead to where these come from, and nowhere else.
//! - [`Relayed`](crate::Kind::Relayed) ways are better than a channel, and worse than any that is direct. While one is followed,
//!   rounds go on as they do over a channel, ever more rarely.
//! - What nothing comes of within [`ROUND_SPAN`] is given back, and asked for again after [`ROUND_WAITS`], or a change. What has
//!   worked is given back after [`SPARE_SPAN`] on a direct way; and when there is another in its place.
//!
//! Without a relay nothing of this is done.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::candidate::Family;
use crate::damping::Rest;
use crate::event::SocketId;
#[cfg(doc)]
use crate::round::ROUND_SPAN;
use crate::round::{ROUND_GAP, ROUND_WAITS};

/// Most holes are open by then. A relay has its price for whoever runs it.
pub const RELAY_PATIENCE: Duration = Duration::from_secs(1);

/// For how long one is kept beside a direct way, which may turn out to be short-lived.
pub const SPARE_SPAN: Duration = Duration::from_secs(60);

/// Sources of openers by one allocation. A host with two networks has two.
pub const MAX_RELAYED: usize = 2;

/// Addresses of the host that are let in.
pub const MAX_PERMITTED: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The relay is asked.
    Allocating,
    /// The host is to be asked.
    Open,
    Asked {
        round: u32,
        until: Instant,
    },
    /// Its openers are under way.
    Proving {
        until: Instant,
    },
    /// The server has answered by it.
    Held,
}

#[derive(Debug)]
struct Allocation {
    socket: SocketId,
    stage: Stage,
    sources: Vec<SocketAddr>,
    begun: Instant,
    /// When the host may be asked.
    ask: Option<Instant>,
    /// Since when a direct way answers.
    spare: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Relay {
    is_offered: bool,
    allocation: Option<Allocation>,
    /// When another one is to be asked for, if one is wanted by then.
    planned: Option<Instant>,
    failures: usize,
    not_before: Option<Instant>,
    /// The host has sent nothing to the last one, as one whose channel is dead.
    is_unanswered: bool,
    /// Since when it is in use.
    proven: Option<Instant>,
    rest: Rest,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Allocate,
    Ask,
    Fail,
    Release,
}

impl Relay {
    pub(crate) fn offer(&mut self) {
        self.is_offered = true;
    }

    /// If it may be by then, and none is on its way.
    pub(crate) fn plan(&mut self, at: Instant) {
        let is_on_its_way = self.allocation.as_ref().is_some_and(|kept| kept.stage != Stage::Held);
        let bounds = [self.not_before, self.rest.ends()];
        if self.is_offered && !is_on_its_way && bounds.into_iter().flatten().all(|bound| bound <= at) {
            self.planned.get_or_insert(at);
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let of_allocation = self.allocation.as_ref().and_then(Allocation::next);
        self.planned.into_iter().chain(of_allocation).min()
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if self.planned.take_if(|at| *at <= now).is_some() {
            return Some(Due::Allocate);
        }
        let kept = self.allocation.as_mut()?;
        if kept.spare.is_some_and(|since| since + SPARE_SPAN <= now) {
            return Some(Due::Release);
        }
        match kept.stage {
            Stage::Allocating | Stage::Open => kept.ask.take_if(|at| *at <= now).map(|_| Due::Ask),
            Stage::Asked { until, .. } | Stage::Proving { until } => (until <= now).then_some(Due::Fail),
            Stage::Held => None,
        }
    }

    /// The one before, if there was one.
    pub(crate) fn begin(&mut self, socket: SocketId, now: Instant) -> Option<SocketId> {
        let former = self.take();
        let (stage, sources) = (Stage::Allocating, Vec::new());
        self.allocation = Some(Allocation { socket, stage, sources, begun: now, ask: None, spare: None });
        former
    }

    /// Until then the host is to be asked for nothing else, which it would take in place of this.
    pub(crate) fn comes_first(&self) -> Option<Instant> {
        let is_coming = |kept: &&Allocation| matches!(kept.stage, Stage::Allocating | Stage::Open);
        self.allocation.as_ref().filter(is_coming).map(|kept| kept.begun + ROUND_GAP)
    }

    pub(crate) fn socket(&self) -> Option<SocketId> {
        self.allocation.as_ref().map(|kept| kept.socket)
    }

    pub(crate) fn has(&self, socket: SocketId) -> bool {
        self.socket() == Some(socket)
    }

    pub(crate) fn opened(&mut self) {
        self.set_stage(Stage::Open);
    }

    pub(crate) fn is_to_ask(&self) -> bool {
        self.allocation.as_ref().is_some_and(|kept| kept.stage == Stage::Open)
    }

    pub(crate) fn ask_at(&mut self, at: Option<Instant>) {
        self.allocation.iter_mut().for_each(|kept| kept.ask = at);
    }

    pub(crate) fn ask(&mut self, round: u32, until: Instant) {
        self.set_stage(Stage::Asked { round, until });
    }

    pub(crate) fn is_asked(&self, number: u32) -> bool {
        let asked = |kept: &Allocation| matches!(kept.stage, Stage::Asked { round, .. } if round == number);
        self.allocation.as_ref().is_some_and(asked)
    }

    /// What the host has not answered it may answer by another channel.
    pub(crate) fn puncher_came(&mut self) {
        self.not_before.take_if(|_| self.is_unanswered);
        if self.allocation.as_ref().is_some_and(|kept| matches!(kept.stage, Stage::Asked { .. })) {
            self.set_stage(Stage::Open);
        }
    }

    /// The host's openers are under way.
    pub(crate) fn prove(&mut self, until: Instant) {
        if self.allocation.as_ref().is_some_and(|kept| matches!(kept.stage, Stage::Asked { .. })) {
            self.set_stage(Stage::Proving { until });
        }
    }

    pub(crate) fn is_reached_by(&self, socket: SocketId) -> bool {
        let is_open = |kept: &Allocation| {
            kept.socket == socket && !matches!(kept.stage, Stage::Allocating | Stage::Open)
        };
        self.allocation.as_ref().is_some_and(is_open)
    }

    pub(crate) fn expects(&self, socket: SocketId, source: SocketAddr) -> bool {
        let expects = |kept: &Allocation| kept.sources.contains(&source) || kept.sources.len() < MAX_RELAYED;
        self.is_reached_by(socket) && self.allocation.as_ref().is_some_and(expects)
    }

    /// Whether an opener from there leads to one more address.
    pub(crate) fn takes_source(&mut self, source: SocketAddr) -> bool {
        let Some(kept) = &mut self.allocation else { return false };
        let is_taken = !kept.sources.contains(&source) && kept.sources.len() < MAX_RELAYED;
        kept.sources.extend(is_taken.then_some(source));
        is_taken
    }

    /// The server answers by it.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.set_stage(Stage::Held);
        self.allocation.iter_mut().for_each(|kept| kept.spare = None);
        (self.failures, self.not_before) = (0, None);
        self.proven.get_or_insert(now);
    }

    /// A direct way answers. What the host was asked for meanwhile is as good as proven, for as long as it is kept.
    pub(crate) fn spare(&mut self, now: Instant) {
        self.planned = None;
        self.proven = None;
        if let Some(kept) = &mut self.allocation {
            if matches!(kept.stage, Stage::Asked { .. } | Stage::Proving { .. }) {
                kept.stage = Stage::Held;
            }
            kept.ask = None;
            kept.spare.get_or_insert(now);
        }
    }

    /// Nothing answers any more.
    pub(crate) fn may_be_needed(&mut self) {
        self.allocation.iter_mut().for_each(|kept| kept.spare = None);
    }

    /// It was in use, and is lost.
    pub(crate) fn fall(&mut self, now: Instant) {
        if let Some(proven) = self.proven.take() {
            self.rest.fall(now.saturating_duration_since(proven), now);
        }
    }

    pub(crate) fn rests(&self, now: Instant) -> bool {
        self.rest.holds(now)
    }

    /// Its socket, which is gone or not needed any more. Another is asked for after a while, unless it has worked.
    pub(crate) fn fail(&mut self, now: Instant) -> Option<SocketId> {
        self.is_unanswered =
            self.allocation.as_ref().is_some_and(|kept| matches!(kept.stage, Stage::Asked { .. }));
        if self.allocation.as_ref().is_some_and(|kept| kept.stage == Stage::Held) {
            self.fall(now);
        } else {
            self.failures = (self.failures + 1).min(ROUND_WAITS.len() - 1);
            self.not_before = Some(now + ROUND_WAITS[self.failures]);
        }
        self.take()
    }

    pub(crate) fn take(&mut self) -> Option<SocketId> {
        self.planned = None;
        self.allocation.take().map(|kept| kept.socket)
    }

    /// Nobody has been heard by it.
    pub(crate) fn take_unproven(&mut self) -> Option<SocketId> {
        let is_unproven = self.allocation.as_ref().is_some_and(|kept| kept.stage != Stage::Held);
        is_unproven.then(|| self.take()).flatten()
    }

    /// There is reason to try again.
    pub(crate) fn hurry(&mut self) {
        (self.failures, self.not_before) = (0, None);
    }

    /// In another network everything may be different, and what is left behind has not fallen.
    pub(crate) fn forget(&mut self) {
        self.hurry();
        (self.rest, self.proven) = (Rest::default(), None);
    }

    fn set_stage(&mut self, stage: Stage) {
        self.allocation.iter_mut().for_each(|kept| (kept.stage, kept.ask) = (stage, None));
    }
}

impl Allocation {
    fn next(&self) -> Option<Instant> {
        let of_stage = match self.stage {
            Stage::Allocating | Stage::Open => self.ask,
            Stage::Asked { until, .. } | Stage::Proving { until } => Some(until),
            Stage::Held => None,
        };
        self.spare.map(|since| since + SPARE_SPAN).into_iter().chain(of_stage).min()
    }
}

/// Of which family the host has addresses, and which: IPv4 by preference, for there a NAT may be in the way.
pub(crate) fn permitted(known: impl Iterator<Item = SocketAddr>) -> Option<(Family, Vec<IpAddr>)> {
    let known: Vec<SocketAddr> = known.collect();
    let family = [Family::V4, Family::V6]
        .into_iter()
        .find(|&family| known.iter().any(|&address| Family::of(address) == family))?;
    let mut peers = Vec::new();
    for address in known.into_iter().filter(|&address| Family::of(address) == family) {
        if peers.len() < MAX_PERMITTED && !peers.contains(&address.ip()) {
            peers.push(address.ip());
        }
    }
    Some((family, peers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::round::ROUND_SPAN;

    const SOCKET: SocketId = SocketId(7);

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn proving(now: Instant) -> Relay {
        let mut relay = Relay::default();
        relay.offer();
        relay.begin(SOCKET, now);
        relay.opened();
        relay.ask(1, now + ROUND_SPAN);
        relay.prove(now + ROUND_SPAN);
        relay
    }

    #[test]
    fn without_an_offer_none_is_planned() {
        let (mut relay, now) = (Relay::default(), start());
        relay.plan(now);
        assert_eq!((relay.next(), relay.take_due(now)), (None, None));
        relay.offer();
        relay.plan(now);
        assert_eq!((relay.next(), relay.take_due(now)), (Some(now), Some(Due::Allocate)));
    }

    #[test]
    fn what_fails_is_asked_for_again_ever_more_rarely_until_there_is_a_change() {
        let (mut relay, mut now) = (proving(start()), start());
        for wait in ROUND_WAITS[1..].iter().chain(&ROUND_WAITS[4..]) {
            assert_eq!(relay.fail(now), Some(SOCKET));
            relay.plan(now + *wait - ROUND_GAP);
            assert_eq!(relay.next(), None);
            now += *wait;
            relay.plan(now);
            assert_eq!(relay.take_due(now), Some(Due::Allocate));
            relay.begin(SOCKET, now);
        }
        relay.fail(now);
        relay.hurry();
        relay.plan(now);
        assert_eq!(relay.next(), Some(now));
    }

    #[test]
    fn what_has_worked_is_kept_for_a_minute_beside_a_direct_way_without_a_break() {
        let now = start();
        let mut relay = proving(now);
        relay.hold(now);
        assert_eq!(relay.next(), None);
        relay.spare(now);
        relay.may_be_needed();
        assert_eq!(relay.next(), None);
        relay.spare(now + RELAY_PATIENCE);
        relay.spare(now + 2 * RELAY_PATIENCE);
        let end = now + RELAY_PATIENCE + SPARE_SPAN;
        assert_eq!((relay.next(), relay.take_due(end)), (Some(end), Some(Due::Release)));
    }

    #[test]
    fn what_falls_again_and_again_rests() {
        let now = start();
        let mut relay = proving(now);
        for is_resting in [false, true] {
            relay.hold(now);
            relay.fall(now + RELAY_PATIENCE);
            assert_eq!(relay.rests(now + 2 * RELAY_PATIENCE), is_resting);
        }
        relay.plan(now + 2 * RELAY_PATIENCE);
        assert_eq!(relay.next(), None);
        relay.forget();
        assert!(!relay.rests(now + 2 * RELAY_PATIENCE));
    }

    #[test]
    fn what_a_host_has_not_answered_waits_for_no_longer_than_another_channel() {
        let now = start();
        for is_answered in [false, true] {
            let mut relay = Relay::default();
            relay.offer();
            relay.begin(SOCKET, now);
            relay.opened();
            relay.ask(1, now + ROUND_SPAN);
            if is_answered {
                relay.prove(now + ROUND_SPAN);
            }
            relay.fail(now + ROUND_SPAN);
            relay.puncher_came();
            relay.plan(now + ROUND_SPAN);
            assert_eq!(relay.next().is_none(), is_answered);
        }
    }

    #[test]
    fn what_is_left_behind_in_another_network_has_not_fallen() {
        let now = start();
        let mut relay = proving(now);
        for _ in 0..3 {
            relay.hold(now);
            relay.forget();
            relay.fall(now + RELAY_PATIENCE);
        }
        assert!(!relay.rests(now + RELAY_PATIENCE));
    }

    #[test]
    fn openers_lead_to_two_addresses_at_most_once_the_host_was_asked() {
        let mut relay = Relay::default();
        relay.begin(SOCKET, start());
        relay.opened();
        assert!(!relay.is_reached_by(SOCKET));
        let mut relay = proving(start());
        let sources = ["20.0.0.1:1", "20.0.0.1:1", "20.0.0.1:2", "20.0.0.1:3"].map(address);
        assert_eq!(sources.map(|source| relay.takes_source(source)), [true, false, true, false]);
        assert!(relay.expects(SOCKET, sources[0]) && !relay.expects(SOCKET, sources[3]));
    }

    #[test]
    fn addresses_of_one_family_are_permitted_and_each_once() {
        let known = ["[2a00::1]:1", "20.0.0.1:1", "20.0.0.1:2", "10.0.0.1:1"].map(address);
        let expected = ["20.0.0.1", "10.0.0.1"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(permitted(known.into_iter()), Some((Family::V4, expected)));
        let (family, peers) = permitted(known[..1].iter().copied()).unwrap();
        assert_eq!((family, peers.len()), (Family::V6, 1));
        assert_eq!(permitted([].into_iter()), None);
        let many = (1..=20).map(|number| SocketAddr::from(([20, 0, 0, number], 1)));
        assert_eq!(permitted(many).unwrap().1.len(), MAX_PERMITTED);
    }
}
