//! For how long a session has gone the way it goes.

use std::time::Instant;

use crate::candidate::Kind;
use crate::policy::Dependence;

/// At most one of the three is there; none until the server has been heard, and after a path was withdrawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when all followed ways were carried. A silence does not end it, and neither does another channel.
    pub carried_since: Option<Instant>,
    /// Since when all followed ways were punched or relayed, and none fell silent: such a session goes by UDP, and may need the
    /// host's help again.
    pub punched_since: Option<Instant>,
    /// Since when no followed way needed the host's help, and none fell silent.
    pub direct_since: Option<Instant>,
}

impl Standing {
    /// Whether the server answers by UDP.
    #[must_use]
    pub fn is_by_udp(&self) -> bool {
        self.punched_since.or(self.direct_since).is_some()
    }

    /// The server answers over a way of this kind.
    pub(crate) fn answer(&mut self, kind: Kind, now: Instant) {
        let before = std::mem::take(self);
        match kind.policy().depends_on {
            Dependence::Nothing => self.direct_since = before.direct_since.or(Some(now)),
            Dependence::Openers | Dependence::Relay => {
                self.punched_since = before.punched_since.or(Some(now));
            }
            Dependence::Channel => self.carried_since = before.carried_since.or(Some(now)),
        }
    }

    pub(crate) fn fall_silent(&mut self) {
        (self.punched_since, self.direct_since) = (None, None);
    }

    /// No way is followed any more.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}
