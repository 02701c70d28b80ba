//! What the answers to `AddPortMapping` that are no plain yes mean.

use crate::client::{Code, Refusal};
use crate::upnp::answer::Failure;
use crate::upnp::soap::Fault;

pub(super) mod code {
    pub(in super::super) const INVALID_ARGUMENTS: u16 = 402;
    pub(in super::super) const ACTION_FAILED: u16 = 501;
    pub(in super::super) const ACTION_NOT_AUTHORIZED: u16 = 606;
    pub(in super::super) const INDEX_INVALID: u16 = 713;
    pub(in super::super) const NO_SUCH_ENTRY: u16 = 714;
    pub(in super::super) const WILDCARD_NOT_PERMITTED_IN_SOURCE: u16 = 715;
    pub(in super::super) const WILDCARD_NOT_PERMITTED: u16 = 716;
    pub(in super::super) const CONFLICT: u16 = 718;
    pub(in super::super) const SAME_PORT_VALUES_REQUIRED: u16 = 724;
    pub(in super::super) const ONLY_PERMANENT_LEASES: u16 = 725;
    pub(in super::super) const REMOTE_HOST_ONLY_WILDCARD: u16 = 726;
    pub(in super::super) const EXTERNAL_PORT_ONLY_WILDCARD: u16 = 727;
    pub(in super::super) const NO_PORT_MAPS_AVAILABLE: u16 = 728;
    pub(in super::super) const CONFLICT_WITH_OTHER_MECHANISM: u16 = 729;
}

/// Why it is not known what the router has made of `AddPortMapping`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) refusal: Refusal,
    /// It says that it has failed, if not why.
    pub(super) is_error: bool,
    /// It may have refused the lease.
    pub(super) may_be_lease: bool,
    /// It may not have heard the question: many serve one connection at a time, and cut off others.
    pub(super) may_be_unheard: bool,
}

impl Doubt {
    pub(super) fn of(refusal: Refusal) -> Self {
        Self { refusal, is_error: false, may_be_lease: false, may_be_unheard: false }
    }
}

pub(super) enum No {
    /// The lease is none that it knows.
    Lease {
        code: u16,
    },
    Conflict,
    Plain(Refusal),
    Unclear(Doubt),
}

impl From<Failure> for No {
    /// WANIPConnection:1 §2.4.16 and :2 §2.5.16. Whoever fails without a reason of those may have added all the same.
    fn from(failure: Failure) -> Self {
        let code = match failure {
            Failure::Fault(Fault::Upnp { code, .. }) => code,
            Failure::Fault(Fault::Http(status)) => {
                let refusal = Refusal::Other { code: Code::Http(status) };
                return Self::Unclear(Doubt { may_be_lease: true, ..Doubt::of(refusal) });
            }
            Failure::NoReply | Failure::Fault(Fault::Malformed { .. }) => {
                let may_be_unheard = failure == Failure::NoReply;
                return Self::Unclear(Doubt { may_be_unheard, ..Doubt::of(Refusal::NoAnswer) });
            }
        };
        match refusal(code) {
            _ if matches!(code, code::ONLY_PERMANENT_LEASES | code::INVALID_ARGUMENTS) => {
                Self::Lease { code }
            }
            Refusal::Conflict => Self::Conflict,
            refusal @ Refusal::Other { .. } => {
                Self::Unclear(Doubt { is_error: true, may_be_lease: true, ..Doubt::of(refusal) })
            }
            refusal if code == code::ACTION_FAILED => {
                Self::Unclear(Doubt { is_error: true, may_be_lease: true, ..Doubt::of(refusal) })
            }
            refusal => Self::Plain(refusal),
        }
    }
}

pub(super) fn refusal(code: u16) -> Refusal {
    match code {
        code::CONFLICT | code::CONFLICT_WITH_OTHER_MECHANISM => Refusal::Conflict,
        code::ACTION_NOT_AUTHORIZED => Refusal::NotAuthorized,
        code::NO_PORT_MAPS_AVAILABLE => Refusal::NoResources,
        code::SAME_PORT_VALUES_REQUIRED => Refusal::SamePortRequired,
        // A wildcard for the remote host is all that we ask for, and one for the port what we never ask for.
        code::ACTION_FAILED
        | code::WILDCARD_NOT_PERMITTED
        | code::WILDCARD_NOT_PERMITTED_IN_SOURCE
        | code::REMOTE_HOST_ONLY_WILDCARD
        | code::EXTERNAL_PORT_ONLY_WILDCARD => Refusal::Unsupported { code: Code::Upnp(code) },
        code => Refusal::Other { code: Code::Upnp(code) },
    }
}
