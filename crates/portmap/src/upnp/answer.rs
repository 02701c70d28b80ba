//! What the answer to one question was, where it was none, and what it leads to.

use std::num::NonZeroU16;
use std::time::Duration;

use super::soap::Fault;
use crate::client::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Fault(Fault),
    NoReply,
}

/// What an answer leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next<S> {
    Ask(S),
    Granted { port: NonZeroU16, lease: Option<Duration> },
    Confirmed,
    Refused(Refusal),
    Released { confirmed: bool },
}

impl<S> Next<S> {
    pub(super) fn map<T>(self, name: impl FnOnce(S) -> T) -> Next<T> {
        match self {
            Self::Ask(step) => Next::Ask(name(step)),
            Self::Granted { port, lease } => Next::Granted { port, lease },
            Self::Confirmed => Next::Confirmed,
            Self::Refused(refusal) => Next::Refused(refusal),
            Self::Released { confirmed } => Next::Released { confirmed },
        }
    }
}
