//! What the error codes of `AddPortMapping` mean.

use crate::client::Refusal;

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

/// WANIPConnection:1 §2.4.16 and :2 §2.5.16.
pub(super) fn refusal(code: u16) -> Refusal {
    match code {
        code::CONFLICT | code::CONFLICT_WITH_OTHER_MECHANISM => Refusal::Conflict,
        code::ACTION_NOT_AUTHORIZED => Refusal::NotAuthorized,
        code::NO_PORT_MAPS_AVAILABLE => Refusal::NoResources,
        code::SAME_PORT_VALUES_REQUIRED => Refusal::SamePortRequired,
        code::WILDCARD_NOT_PERMITTED => Refusal::CannotProvideExternal,
        // A wildcard for the remote host is all that we ask for, and one for the port what we never ask for.
        code::ACTION_FAILED
        | code::WILDCARD_NOT_PERMITTED_IN_SOURCE
        | code::REMOTE_HOST_ONLY_WILDCARD
        | code::EXTERNAL_PORT_ONLY_WILDCARD => Refusal::Unsupported { code },
        code => Refusal::Other { code },
    }
}
