//! Which lease to ask for.

/// WANIPConnection:2 §2.4.16 caps a lease at a week and refuses 0; some routers accept round numbers only.
const TO_FALL_BACK_ON: [u32; 3] = [PERMANENT, 604_800, 3_600];

/// WANIPConnection:1 §2.2.25: until it is deleted.
const PERMANENT: u32 = 0;

/// What a router is known to make of leases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Known {
    /// In the place of one that it refused.
    accepted: Option<u32>,
    /// Not the lease was what it refused.
    permanent_is_no_better: bool,
    /// Whatever it makes of it, no other one will do.
    is_the_only_one: bool,
}

impl Known {
    /// Whether the lease that is wanted is the only one that will do.
    pub(in super::super) fn of_router(only_this: bool) -> Self {
        Self { is_the_only_one: only_this, ..Self::default() }
    }
}

/// The leases of one attempt, in seconds.
#[derive(Debug)]
pub(super) struct Leases {
    known: Known,
    wanted: u32,
    current: u32,
    fallbacks: std::slice::Iter<'static, u32>,
    permanent_is_tried: bool,
}

impl Leases {
    pub(super) fn new(wanted: u32, known: Known) -> Self {
        let current = known.accepted.unwrap_or(wanted);
        Self { known, wanted, current, fallbacks: TO_FALL_BACK_ON.iter(), permanent_is_tried: false }
    }

    pub(super) fn current(&self) -> u32 {
        self.current
    }

    pub(super) fn known(&self) -> Known {
        self.known
    }

    /// After a refusal that names the lease. `false`: there is none left.
    pub(super) fn fall_back(&mut self) -> bool {
        if self.permanent_is_tried || self.known.is_the_only_one {
            return false;
        }
        match self.fallbacks.next() {
            Some(&seconds) => self.current = seconds,
            None => return false,
        }
        true
    }

    /// After any other refusal: some routers know permanent mappings alone, and say so in words of their own. Once.
    pub(super) fn try_permanent(&mut self) -> bool {
        let Known { permanent_is_no_better, is_the_only_one, .. } = self.known;
        let is_useless = self.permanent_is_tried || permanent_is_no_better || is_the_only_one;
        if is_useless || self.current == PERMANENT {
            return false;
        }
        self.permanent_is_tried = true;
        self.current = PERMANENT;
        true
    }

    pub(super) fn is_accepted(&mut self) {
        if self.current != self.wanted {
            self.known.accepted = Some(self.current);
        }
    }

    pub(super) fn is_refused(&mut self) {
        self.known.permanent_is_no_better |= self.permanent_is_tried;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u32 = 3_600;

    #[test]
    fn quirk_36_and_37_a_lease_that_is_called_invalid_is_followed_by_three_others() {
        let mut leases = Leases::new(7_200, Known::default());
        let tried: Vec<_> = std::iter::from_fn(|| leases.fall_back().then(|| leases.current())).collect();
        assert_eq!(tried, [0, 604_800, 3_600]);
    }

    #[test]
    fn quirk_36_a_permanent_lease_is_tried_once_and_remembered_where_it_helps() {
        let mut leases = Leases::new(HOUR, Known::default());
        assert!(leases.try_permanent());
        assert_eq!(leases.current(), 0);
        assert!(!leases.try_permanent() && !leases.fall_back());
        leases.is_accepted();
        let next = Leases::new(HOUR, leases.known());
        assert_eq!(next.current(), 0);
    }

    #[test]
    fn where_no_other_lease_will_do_none_is_tried() {
        let mut leases = Leases::new(HOUR, Known::of_router(true));
        assert!(!leases.try_permanent() && !leases.fall_back());
        leases.is_refused();
        let mut next = Leases::new(HOUR, leases.known());
        assert!(!next.try_permanent() && !next.fall_back());
        assert_eq!(next.current(), HOUR);
    }

    #[test]
    fn a_permanent_lease_that_does_not_help_is_not_tried_for_another_port() {
        let mut leases = Leases::new(HOUR, Known::default());
        assert!(leases.try_permanent());
        leases.is_refused();
        let mut next = Leases::new(HOUR, leases.known());
        assert_eq!(next.current(), HOUR);
        assert!(!next.try_permanent());
        assert!(next.fall_back(), "a refusal that names the lease is another matter");
    }
}
