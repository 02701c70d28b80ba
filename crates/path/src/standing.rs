//! For how long a session has gone the way it goes.

use std::time::Instant;

use crate::candidate::Kind;
use crate::policy::Dependence;

/// At most one of the two is there; neither until the server has been heard, after a path was withdrawn, and over a punched
/// way, which is not carried and may need the host's help again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when all followed ways were carried. A silence does not end it, and neither does another channel.
    pub carried_since: Option<Instant>,
    /// Since when no followed way needed the host's help, and none fell silent.
    pub direct_since: Option<Instant>,
}

impl Standing {
    /// The server answers over a way of this kind.
    pub(crate) fn answer(&mut self, kind: Kind, now: Instant) {
        let (carried, direct) = (self.carried_since.unwrap_or(now), self.direct_since.unwrap_or(now));
        *self = match kind.policy().depends_on {
            Dependence::Nothing => Self { carried_since: None, direct_since: Some(direct) },
            Dependence::Openers => Self::default(),
            Dependence::Channel => Self { carried_since: Some(carried), direct_since: None },
        };
    }

    pub(crate) fn fall_silent(&mut self) {
        self.direct_since = None;
    }

    /// No way is followed any more.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}
