//! How the ways of a kind are used beside better ones.

use std::time::Duration;

use crate::candidate::Kind;

/// mosh-server follows the copy that arrives first, so what must not win a tie starts later: RFC 8305 §5 recommends 250 ms,
/// and a round trip is mostly less than this.
pub const HEAD_START: Duration = Duration::from_millis(200);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How long a datagram is left to better ways before it goes over these, too, unless it was answered.
    pub(crate) head_start: Duration,
    pub(crate) depends_on: Dependence,
    /// How better ways are tried while one of these is followed.
    pub(crate) upgrade: Upgrade,
    /// Whether a datagram may go over it again, for it may have been lost.
    pub(crate) repeats: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// By copies: of two ways that work, the better one is the faster.
    ByCopies,
    /// By a datagram of their own. A copy that comes behind that of the followed way, however closely, tells nothing, and one
    /// that comes before it is a loss where no answer comes back.
    ByTrial,
}

/// What of the host's help a way needs, beyond mosh-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependence {
    Nothing,
    /// Another one, once routers have forgotten the flow.
    Openers,
    /// Openers to the relay.
    Relay,
    Channel,
}

const UDP: Policy = Policy {
    head_start: Duration::ZERO,
    depends_on: Dependence::Nothing,
    upgrade: Upgrade::ByCopies,
    repeats: true,
};

const PUNCHED: Policy = Policy { depends_on: Dependence::Openers, ..UDP };

const RELAYED: Policy = Policy { depends_on: Dependence::Relay, ..UDP };

const CARRIED: Policy = Policy {
    head_start: HEAD_START,
    depends_on: Dependence::Channel,
    upgrade: Upgrade::ByTrial,
    repeats: false,
};

impl Kind {
    pub(crate) fn policy(self) -> &'static Policy {
        match self {
            Self::Lan | Self::Global | Self::Mapped | Self::Resolved => &UDP,
            Self::Punched => &PUNCHED,
            Self::Relayed => &RELAYED,
            Self::Carried => &CARRIED,
        }
    }
}
