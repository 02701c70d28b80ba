//! Openers from mosh-server's own socket, so that the NATs and firewalls of this side let the laptop's datagrams in.
//!
//! Only the process that starts mosh-server may borrow its socket everywhere, and the keeper is there for longer: the one
//! borrows, and lends it to the other. Nothing is ever read there, and nothing that comes in causes anything to be sent. One
//! option is written, for a moment, and only where the user has named a STUN server: a sibling of the socket asks it
//! ([`Sibling`](system::linux::Sibling)).

mod asking;
mod borrowing;
mod openers;
mod origins;

use serde::{Deserialize, Serialize};

pub(crate) use self::asking::Asking;
pub(crate) use self::borrowing::{Obstacle, borrow};
pub(crate) use self::openers::Openers;
pub(crate) use self::origins::Origins;

/// Why a round is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NoRound {
    /// The one before was less than a second ago, whoever asked for it.
    Busy,
    /// Nobody has the socket.
    Unable,
}

impl NoRound {
    /// As it is told.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Unable => "unable",
        }
    }
}
