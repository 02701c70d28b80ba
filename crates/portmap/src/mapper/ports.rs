//! Which external port to ask for next.
//!
//! As mosh does, the lowest free port above the preferred one is wanted; but hosts that ask at the same moment must
//! not all walk the same way, each step a round trip to a router that answers one at a time. So the next port is a
//! random one of a window that doubles with each conflict. A narrow range, or rules that allow only a part of it,
//! are still searched to the last port.
//!
//! A range that the user named is not what the rules are known to allow: it may be forwarded by hand as well, each port to
//! itself, and only a mapping that does the same goes well with that. Its first port is therefore the internal one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use crate::random::Random;

/// Each try costs one or two round trips to the router; past this the range counts as exhausted.
const TRIES_MAXIMUM: usize = 200;

/// After the first conflict one of this many ports is taken.
const FIRST_WINDOW: u16 = 2;

#[derive(Debug, Clone)]
pub(super) struct PortChoice {
    /// The first that was told, once there is one: whoever has heard of others has heard of this one.
    preferred: NonZeroU16,
    /// Where the search begins if the rules turn out to be others than was remembered.
    home: NonZeroU16,
    is_told: bool,
    range: RangeInclusive<NonZeroU16>,
    current: NonZeroU16,
    tried: BTreeSet<u16>,
    window: u16,
    /// The rules forbid everything outside; learnt from denials.
    allowed: RangeInclusive<u16>,
}

impl PortChoice {
    pub(super) fn new(preferred: NonZeroU16, range: RangeInclusive<NonZeroU16>) -> Self {
        Self {
            preferred,
            home: preferred,
            is_told: false,
            current: preferred,
            tried: BTreeSet::from([preferred.get()]),
            window: FIRST_WINDOW,
            allowed: range.start().get()..=range.end().get(),
            range,
        }
    }

    /// Begins within the part that the rules are remembered to allow: each host, and each port of a host, at another
    /// place, so that what one was told is not the first that another asks for once the gateway has lost its table.
    pub(super) fn spread(
        home: NonZeroU16,
        range: RangeInclusive<NonZeroU16>,
        allowed: &RangeInclusive<NonZeroU16>,
        host: IpAddr,
    ) -> Self {
        let first = (*range.start()).max(*allowed.start());
        let last = (*range.end()).min(*allowed.end());
        if first > last {
            return Self::new(home, range);
        }
        let length = usize::from(last.get() - first.get()) + 1;
        let seed = match host {
            IpAddr::V4(address) => address.to_bits().into(),
            // A pinhole has one port.
            IpAddr::V6(_) => 0,
        };
        let place = (Random::new(seed).below(length) + usize::from(home.get())) % length;
        let preferred = u16::try_from(place).ok().and_then(|place| first.checked_add(place)).unwrap_or(first);
        Self { home, allowed: first.get()..=last.get(), ..Self::new(preferred, range) }
    }

    /// Exactly this port.
    pub(super) fn only(port: NonZeroU16) -> Self {
        Self::new(port, port..=port)
    }

    pub(super) fn current(&self) -> NonZeroU16 {
        self.current
    }

    pub(super) fn preferred(&self) -> NonZeroU16 {
        self.preferred
    }

    /// This port is ours now.
    pub(super) fn settle(&mut self, port: NonZeroU16) {
        if !self.is_told {
            (self.preferred, self.is_told) = (port, true);
        }
        self.restart_at(port);
    }

    /// Forgets what was tried: another protocol may give it.
    pub(super) fn restart(&mut self) {
        self.restart_at(self.preferred);
    }

    /// As [`Self::restart`], but another port than the preferred one comes first.
    pub(super) fn restart_at(&mut self, port: NonZeroU16) {
        let fresh = Self::new(self.preferred, self.range.clone());
        let Self { home, is_told, ref allowed, .. } = *self;
        let (allowed, tried) = (allowed.clone(), BTreeSet::from([port.get()]));
        *self = Self { home, is_told, allowed, tried, current: port, ..fresh };
    }

    /// The part of the range that the rules may allow, where they were seen to forbid some.
    pub(super) fn allowed(&self) -> Option<RangeInclusive<NonZeroU16>> {
        let (first, last) = (NonZeroU16::new(*self.allowed.start())?, NonZeroU16::new(*self.allowed.end())?);
        let allowed = first..=last;
        (allowed != self.range && !allowed.is_empty()).then_some(allowed)
    }

    pub(super) fn range(&self) -> &RangeInclusive<NonZeroU16> {
        &self.range
    }

    /// Somebody has the current port.
    pub(super) fn after_conflict(&mut self, random: &mut Random) -> Option<NonZeroU16> {
        let next = self.above(random).or_else(|| self.below())?;
        self.take(next)
    }

    /// The rules forbid the current port. Where they forbid the preferred one, every other is as foreign to them.
    pub(super) fn after_denial(&mut self, random: &mut Random) -> Option<NonZeroU16> {
        let (denied, preferred) = (self.current.get(), self.preferred.get());
        if denied == preferred && self.home != self.preferred {
            *self = Self::new(self.home, self.range.clone());
            self.tried.insert(denied);
            return Some(self.current);
        }
        if denied == preferred {
            return None;
        }
        self.allowed = match denied > preferred {
            true => *self.allowed.start()..=denied - 1,
            false => denied + 1..=*self.allowed.end(),
        };
        self.after_conflict(random)
    }

    /// From the window above the preferred port, which grows until it holds one that was not tried.
    fn above(&mut self, random: &mut Random) -> Option<u16> {
        let preferred = self.preferred.get();
        loop {
            let end = preferred.saturating_add(self.window).min(*self.allowed.end());
            let free: Vec<u16> = (preferred..=end).filter(|port| !self.tried.contains(port)).collect();
            let complete = end == *self.allowed.end() || end < preferred;
            if !free.is_empty() {
                self.window = self.window.saturating_mul(2);
                return Some(free[random.below(free.len())]);
            }
            if complete {
                return None;
            }
            self.window = self.window.saturating_mul(2);
        }
    }

    fn below(&self) -> Option<u16> {
        (*self.allowed.start()..self.preferred.get()).find(|port| !self.tried.contains(port))
    }

    fn take(&mut self, next: u16) -> Option<NonZeroU16> {
        if self.tried.len() == TRIES_MAXIMUM {
            return None;
        }
        self.tried.insert(next);
        self.current = NonZeroU16::new(next)?;
        Some(self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).expect("not zero")
    }

    fn choice(preferred: u16, range: RangeInclusive<u16>) -> PortChoice {
        PortChoice::new(port(preferred), port(*range.start())..=port(*range.end()))
    }

    fn after_conflicts(mut choice: PortChoice) -> Vec<u16> {
        let mut random = Random::new(3);
        std::iter::from_fn(|| choice.after_conflict(&mut random).map(NonZeroU16::get)).collect()
    }

    fn sorted(mut ports: Vec<u16>) -> Vec<u16> {
        ports.sort_unstable();
        ports
    }

    #[test]
    fn the_first_conflict_leads_to_a_neighbour() {
        let next = after_conflicts(choice(60003, 60001..=60999))[0];
        assert!((60004..=60005).contains(&next), "{next}");
    }

    #[test]
    fn a_narrow_range_is_searched_to_the_last_port_and_none_twice() {
        let ports = after_conflicts(choice(60003, 60001..=60009));
        assert_eq!(sorted(ports), [60001, 60002, 60004, 60005, 60006, 60007, 60008, 60009]);
    }

    #[test]
    fn many_hosts_that_want_the_same_port_go_different_ways() {
        let mut tries = Vec::new();
        let mut taken = BTreeSet::from([60001]);
        for host in 0..50 {
            let (mut choice, mut random) = (choice(60001, 60001..=60999), Random::new(host));
            let mut port = 60001;
            let mut count = 0;
            while !taken.insert(port) {
                port = choice.after_conflict(&mut random).expect("room for all").get();
                count += 1;
            }
            tries.push(count);
        }
        assert_eq!(taken.len(), 51);
        assert!(tries.iter().sum::<i32>() <= 50 * 6, "{tries:?}");
    }

    #[test]
    fn an_only_port_has_no_successor() {
        let mut random = Random::new(1);
        assert_eq!(PortChoice::only(port(60001)).after_conflict(&mut random), None);
        assert_eq!(PortChoice::only(port(60001)).after_denial(&mut random), None);
    }

    #[test]
    fn a_denied_first_port_ends_the_search() {
        assert_eq!(choice(60003, 60001..=60999).after_denial(&mut Random::new(1)), None);
    }

    #[test]
    fn rules_that_allow_a_part_of_the_range_leave_every_port_of_it() {
        let (mut choice, mut random) = (choice(60003, 60001..=60999), Random::new(5));
        let mut allowed = Vec::new();
        let mut next = choice.after_conflict(&mut random);
        while let Some(port) = next {
            let denied = port.get() > 60020;
            if !denied {
                allowed.push(port.get());
            }
            next = if denied { choice.after_denial(&mut random) } else { choice.after_conflict(&mut random) };
        }
        let all: Vec<u16> = (60001..=60020).filter(|port| *port != 60003).collect();
        assert_eq!(sorted(allowed), all);
    }

    #[test]
    fn where_the_rules_are_known_hosts_and_their_ports_begin_at_different_places() {
        let allowed = port(60001)..=port(60023);
        let begins = |host: u8, internal: u16| {
            let host = IpAddr::from([192, 168, 1, host]);
            PortChoice::spread(port(internal), port(60001)..=port(60999), &allowed, host).current().get()
        };
        let all: Vec<u16> = (10..14).map(|host| begins(host, 60001)).collect();
        assert!(all.iter().all(|port| (60001..=60023).contains(port)), "{all:?}");
        assert!(all.iter().collect::<BTreeSet<_>>().len() >= 3, "{all:?}");
        let of_one: BTreeSet<u16> = (60001..60024).map(|internal| begins(10, internal)).collect();
        assert_eq!(of_one.len(), 23);
    }

    #[test]
    fn rules_that_have_changed_since_are_learnt_anew_from_the_internal_port_on() {
        let allowed = port(60101)..=port(60123);
        let host = IpAddr::from([192, 168, 1, 10]);
        let mut choice = PortChoice::spread(port(60001), port(60001)..=port(60999), &allowed, host);
        assert!(choice.current() > port(60100));
        assert_eq!(choice.after_denial(&mut Random::new(1)), Some(port(60001)));
        assert_eq!(choice.after_denial(&mut Random::new(1)), None);
    }

    #[test]
    fn the_last_port_of_all_does_not_overflow() {
        assert_eq!(after_conflicts(choice(65535, 65534..=65535)), [65534]);
    }

    #[test]
    fn the_number_of_tries_is_bounded() {
        assert_eq!(after_conflicts(choice(1, 1..=65535)).len(), TRIES_MAXIMUM - 1);
    }
}
