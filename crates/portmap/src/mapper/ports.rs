//! Which external port to ask for next.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;

/// Each try costs one or two round trips to the router; past this the range counts as exhausted.
const TRIES_MAXIMUM: usize = 200;

/// As mosh does: upward from the preferred port, then from the start of the range.
///
/// Once the router's rules have forbidden a port above the preferred one, those above it are left out.
#[derive(Debug, Clone)]
pub(super) struct PortChoice {
    preferred: NonZeroU16,
    range: RangeInclusive<NonZeroU16>,
    current: NonZeroU16,
    wrapped: bool,
    tries: usize,
}

impl PortChoice {
    pub(super) fn new(preferred: NonZeroU16, range: RangeInclusive<NonZeroU16>) -> Self {
        Self { preferred, range, current: preferred, wrapped: false, tries: 1 }
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

    /// The current port is ours: should it be lost later, the choice starts here.
    pub(super) fn settle(&mut self) {
        *self = Self::new(self.current, self.range.clone());
    }

    pub(super) fn range(&self) -> &RangeInclusive<NonZeroU16> {
        &self.range
    }

    /// Somebody has the current port.
    pub(super) fn after_conflict(&mut self) -> Option<NonZeroU16> {
        let next = self.current.checked_add(1).filter(|next| self.range.contains(next));
        self.take(next)
    }

    /// The rules forbid the current port. Where they forbid the preferred one, every other is as foreign to them.
    pub(super) fn after_denial(&mut self) -> Option<NonZeroU16> {
        if self.current == self.preferred { None } else { self.take(None) }
    }

    fn take(&mut self, next: Option<NonZeroU16>) -> Option<NonZeroU16> {
        let next = match next {
            Some(next) => next,
            None if self.wrapped => return None,
            None => {
                self.wrapped = true;
                *self.range.start()
            }
        };
        let full_circle = self.wrapped && next >= self.preferred;
        if full_circle || self.tries == TRIES_MAXIMUM {
            return None;
        }
        self.tries += 1;
        self.current = next;
        Some(next)
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
        let rest = std::iter::from_fn(|| choice.after_conflict().map(NonZeroU16::get));
        rest.collect()
    }

    #[test]
    fn conflicts_lead_upward_and_then_round_to_the_start() {
        assert_eq!(after_conflicts(choice(60003, 60001..=60005)), [60004, 60005, 60001, 60002]);
    }

    #[test]
    fn an_only_port_has_no_successor() {
        assert_eq!(PortChoice::only(port(60001)).after_conflict(), None);
        assert_eq!(PortChoice::only(port(60001)).after_denial(), None);
    }

    #[test]
    fn a_denied_first_port_ends_the_search() {
        assert_eq!(choice(60003, 60001..=60999).after_denial(), None);
    }

    #[test]
    fn a_denial_further_up_leads_back_to_the_start() {
        let mut choice = choice(60003, 60001..=60999);
        assert_eq!(choice.after_conflict(), Some(port(60004)));
        assert_eq!(choice.after_denial(), Some(port(60001)));
        assert_eq!(choice.after_conflict(), Some(port(60002)));
        assert_eq!(choice.after_conflict(), None);
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
