//! What `GetSpecificPortMappingEntry` tells of a port.

use super::refusal::code;
use crate::upnp::answer::Failure;
use crate::upnp::soap::{self, Fault, PortMappingEntry, Reply};

pub(super) enum Reading {
    Nobody,
    /// An entry of nothing, as some routers show for a free port.
    Empty,
    Entry(PortMappingEntry),
    /// The router does not say.
    Unknown,
    /// What came is no answer.
    Unclear,
}

pub(super) fn read(reply: Result<Reply, Failure>) -> Reading {
    let entry = match reply {
        Ok(reply) => soap::port_mapping_entry(&reply),
        Err(Failure::Fault(Fault::Upnp { code: code::NO_SUCH_ENTRY | code::INDEX_INVALID, .. })) => {
            return Reading::Nobody;
        }
        Err(Failure::Fault(Fault::Upnp { .. })) => return Reading::Unknown,
        Err(_) => return Reading::Unclear,
    };
    match entry {
        Ok(entry) if entry.is_empty() => Reading::Empty,
        Ok(entry) => Reading::Entry(entry),
        Err(_) => Reading::Unclear,
    }
}
