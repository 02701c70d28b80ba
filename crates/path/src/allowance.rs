//! How many addresses a session takes in. Whoever names one makes us send there, and may be hostile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// All that a host with many networks offers, and what its gateway and its name add.
pub const MAX_NEW_ADDRESSES: usize = 16;

/// A host that moves is looked for over and over, but every three seconds at most.
pub const NEW_ADDRESSES_SPAN: Duration = Duration::from_secs(10);

/// Of a host that moves every hour, and of its gateways.
pub const MAX_ADDRESSES: usize = 64;

/// A session of many months learns new ones all the same, whoever has had it learn useless ones before.
pub const ADDRESSES_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// At most [`MAX_NEW_ADDRESSES`] in any [`NEW_ADDRESSES_SPAN`], and [`MAX_ADDRESSES`] in any [`ADDRESSES_SPAN`], whoever names
/// them.
#[derive(Debug, Default)]
pub struct Allowance {
    /// And when.
    taken: BTreeMap<SocketAddr, Instant>,
}

impl Allowance {
    /// Whether it may be used; for [`ADDRESSES_SPAN`] it may be told again and again.
    pub fn takes(&mut self, address: SocketAddr, now: Instant) -> bool {
        let is_within = |span, at: Instant| now.saturating_duration_since(at) < span;
        self.taken.retain(|_, at| is_within(ADDRESSES_SPAN, *at));
        if self.taken.contains_key(&address) {
            return true;
        }
        let recent = self.taken.values().filter(|&&at| is_within(NEW_ADDRESSES_SPAN, at)).count();
        let has_room = recent < MAX_NEW_ADDRESSES && self.taken.len() < MAX_ADDRESSES;
        if has_room {
            self.taken.insert(address, now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    fn address(number: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 1], number))
    }

    /// How many of as many new addresses are taken at once.
    fn taken(allowance: &mut Allowance, numbers: impl Iterator<Item = u16>, now: Instant) -> usize {
        numbers.filter(|&number| allowance.takes(address(number), now)).count()
    }

    #[test]
    fn no_more_are_taken_than_sixteen_in_ten_seconds() {
        let (mut allowance, now) = (Allowance::default(), start());
        assert_eq!(taken(&mut allowance, 1..=10, now), 10);
        let later = now + NEW_ADDRESSES_SPAN / 2;
        assert_eq!(taken(&mut allowance, 101..=200, later), 6);
        assert_eq!(taken(&mut allowance, 201..=300, now + NEW_ADDRESSES_SPAN - Duration::from_millis(1)), 0);
        assert_eq!(taken(&mut allowance, 301..=400, now + NEW_ADDRESSES_SPAN), 10);
        assert_eq!(taken(&mut allowance, 401..=500, later + NEW_ADDRESSES_SPAN), 6);
    }

    #[test]
    fn no_more_are_taken_than_sixty_four_a_day() {
        let (mut allowance, now) = (Allowance::default(), start());
        for day in 0..3 {
            let minutes =
                |minute: u16| now + ADDRESSES_SPAN * day + Duration::from_secs(60) * u32::from(minute);
            let all: usize =
                (0..1_440).map(|minute| taken(&mut allowance, minute..=minute, minutes(minute))).sum();
            assert_eq!(all, MAX_ADDRESSES, "on day {day}");
            assert!(allowance.taken.len() <= MAX_ADDRESSES);
        }
    }

    #[test]
    fn what_was_taken_may_be_told_again_when_nothing_new_may() {
        let (mut allowance, now) = (Allowance::default(), start());
        assert_eq!(taken(&mut allowance, 0..1_000, now), MAX_NEW_ADDRESSES);
        assert_eq!(taken(&mut allowance, 0..1_000, now), MAX_NEW_ADDRESSES);
        assert!(allowance.takes(address(0), now) && !allowance.takes(address(999), now));
    }

    #[test]
    fn ports_and_scopes_of_one_address_count_apart() {
        let (mut allowance, now) = (Allowance::default(), start());
        let scoped = (1..=99).map(|scope| format!("[fe80::2%{scope}]:60001").parse().unwrap());
        assert_eq!(scoped.filter(|&address| allowance.takes(address, now)).count(), MAX_NEW_ADDRESSES);
    }
}
