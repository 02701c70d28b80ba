//! The questions that obtain or delete one mapping, in order, and what each answer leads to.
//!
//! ```text
//! obtain:   Look ─► Add ─► Verify ─► granted        release:   LookBeforeDelete ─► Delete ─► released
//!             │       ├──► Clear ─► Add (once)
//!             │       └──► Verify ─► Undo ─► refused
//!             └─ another's: refused
//! ```
//!
//! A router may add what it then fails to say. Whatever an unclear answer left behind is therefore looked for, and
//! taken or deleted.

mod holder;
mod refusal;

use std::net::IpAddr;
use std::time::Duration;

pub use self::holder::is_named;
use self::refusal::{code, refusal};
use super::dialogue::{self, Failure};
use super::soap::{self, Call, Fault, InternalClient, PortMapping, Reply};
use crate::client::{Refusal, Request};

/// WANIPConnection:2 §2.4.16 caps a lease at a week and refuses 0; some routers accept round numbers only.
const LEASES_TO_FALL_BACK_ON: [u32; 3] = [0, 604_800, 3_600];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Look,
    /// Makes room for an entry that is ours, but that the router refuses to overwrite or does not show.
    Clear,
    Add,
    Verify,
    /// Deletes what an unclear answer may have left behind.
    Undo,
    LookBeforeDelete,
    Delete,
}

type Next = dialogue::Next<Step>;

#[derive(Debug)]
pub(super) struct Attempt {
    request: Request,
    internal: IpAddr,
    description: String,
    lease_seconds: u32,
    lease_fallbacks: std::slice::Iter<'static, u32>,
    check: Option<Check>,
    held_before: bool,
    looked_again: bool,
    cleared: bool,
    /// Why the answer to [`Step::Add`] was no plain yes.
    doubt: Option<Refusal>,
    releasing: bool,
}

/// When an entry that is there is as good as a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The router's table is believed.
    ByTable,
    /// The table may list what the firewall has lost. Then only an entry that is new is sure to be forwarded.
    ByRemaking,
}

enum Holder {
    Nobody,
    Ours {
        lease_seconds: Option<u32>,
    },
    Another,
    /// The router does not say.
    Unknown,
    /// What came is no answer.
    Unclear,
}

impl Attempt {
    pub(super) fn to_obtain(request: Request, internal: IpAddr, description: String) -> (Self, Step) {
        (Self::new(request, internal, description, false), Step::Look)
    }

    /// Looks for the entry, and obtains it where it is not there.
    pub(super) fn to_check(
        check: Check,
        request: Request,
        internal: IpAddr,
        description: String,
    ) -> (Self, Step) {
        let (attempt, first) = Self::to_obtain(request, internal, description);
        (Self { check: Some(check), ..attempt }, first)
    }

    /// Of `request` only the ports and the transport count.
    pub(super) fn to_release(request: Request, internal: IpAddr, description: String) -> (Self, Step) {
        (Self::new(request, internal, description, true), Step::LookBeforeDelete)
    }

    fn new(request: Request, internal: IpAddr, description: String, releasing: bool) -> Self {
        let lease_seconds = u32::try_from(request.lease.as_secs()).unwrap_or(u32::MAX);
        Self {
            request,
            internal,
            description,
            lease_seconds,
            lease_fallbacks: LEASES_TO_FALL_BACK_ON.iter(),
            check: None,
            held_before: false,
            looked_again: false,
            cleared: false,
            doubt: None,
            releasing,
        }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// From now on whatever the open question brings is deleted; the question itself is waited for, because a
    /// router may add what nobody waits for any more.
    pub(super) fn turn_to_release(&mut self) {
        self.releasing = true;
    }

    pub(super) fn call(&self, step: Step, service_type: &str) -> Call {
        let Request { transport, external_port, .. } = self.request;
        match step {
            Step::Look | Step::Verify | Step::LookBeforeDelete => {
                soap::get_specific_port_mapping_entry(service_type, external_port, transport)
            }
            Step::Add => soap::add_port_mapping(service_type, &self.port_mapping()),
            Step::Clear | Step::Undo | Step::Delete => {
                soap::delete_port_mapping(service_type, external_port, transport)
            }
        }
    }

    pub(super) fn advance(&mut self, step: Step, reply: Result<Reply, Failure>) -> Next {
        let obtaining = matches!(step, Step::Look | Step::Clear | Step::Add | Step::Verify | Step::Undo);
        if self.releasing && obtaining {
            return Next::Ask(Step::LookBeforeDelete);
        }
        match step {
            Step::Look => self.looked(reply),
            Step::Clear => Next::Ask(Step::Add),
            Step::Add => self.added(reply),
            Step::Verify => self.verified(reply),
            Step::Undo => Next::Refused(self.doubt.take().unwrap_or(Refusal::Unconfirmed)),
            Step::LookBeforeDelete => self.looked_before_delete(reply),
            Step::Delete => Next::Released { confirmed: !matches!(reply, Err(Failure::NoReply)) },
        }
    }

    fn looked(&mut self, reply: Result<Reply, Failure>) -> Next {
        if reply == Err(Failure::NoReply) {
            return Next::Refused(Refusal::NoAnswer);
        }
        match self.holder(reply) {
            Holder::Another => Next::Refused(Refusal::Conflict),
            Holder::Ours { .. } if self.check == Some(Check::ByTable) => Next::Confirmed,
            Holder::Ours { .. } => {
                self.held_before = true;
                match self.check {
                    Some(Check::ByRemaking) => self.clear_once(),
                    _ => Next::Ask(Step::Add),
                }
            }
            Holder::Unclear if !self.looked_again => {
                self.looked_again = true;
                Next::Ask(Step::Look)
            }
            Holder::Nobody | Holder::Unknown | Holder::Unclear => Next::Ask(Step::Add),
        }
    }

    fn added(&mut self, reply: Result<Reply, Failure>) -> Next {
        let code = match reply {
            Ok(_) => return Next::Ask(Step::Verify),
            Err(Failure::Fault(Fault::Upnp { code, .. })) => code,
            Err(Failure::Fault(Fault::Http(status))) => return self.doubt(Refusal::Other { code: status }),
            Err(Failure::NoReply | Failure::Fault(Fault::Malformed { .. })) => {
                return self.doubt(Refusal::NoAnswer);
            }
        };
        match code {
            code::ONLY_PERMANENT_LEASES | code::INVALID_ARGUMENTS => self.fall_back_on_another_lease(code),
            code::CONFLICT | code::CONFLICT_WITH_OTHER_MECHANISM if self.held_before => self.clear_once(),
            code => Next::Refused(refusal(code)),
        }
    }

    fn doubt(&mut self, refusal: Refusal) -> Next {
        self.doubt = Some(refusal);
        Next::Ask(Step::Verify)
    }

    fn fall_back_on_another_lease(&mut self, code: u16) -> Next {
        match self.lease_fallbacks.next() {
            Some(&seconds) => {
                self.lease_seconds = seconds;
                Next::Ask(Step::Add)
            }
            None => Next::Refused(refusal(code)),
        }
    }

    fn clear_once(&mut self) -> Next {
        if self.cleared {
            return Next::Refused(Refusal::Unconfirmed);
        }
        self.cleared = true;
        Next::Ask(Step::Clear)
    }

    fn verified(&mut self, reply: Result<Reply, Failure>) -> Next {
        let port = self.request.external_port;
        match (self.holder(reply), self.doubt.take()) {
            (Holder::Ours { lease_seconds }, _) => {
                Next::Granted { port, lease: self.granted_lease(lease_seconds) }
            }
            (Holder::Another, _) => Next::Refused(Refusal::Conflict),
            (Holder::Nobody, None) => self.clear_once(),
            (Holder::Nobody, Some(doubt)) => Next::Refused(doubt),
            (Holder::Unknown | Holder::Unclear, None) => {
                Next::Granted { port, lease: self.granted_lease(None) }
            }
            (Holder::Unknown | Holder::Unclear, doubt) => {
                self.doubt = doubt;
                Next::Ask(Step::Undo)
            }
        }
    }

    fn looked_before_delete(&mut self, reply: Result<Reply, Failure>) -> Next {
        if reply == Err(Failure::NoReply) {
            return Next::Released { confirmed: false };
        }
        match self.holder(reply) {
            Holder::Ours { .. } | Holder::Unknown | Holder::Unclear => Next::Ask(Step::Delete),
            Holder::Nobody | Holder::Another => Next::Released { confirmed: true },
        }
    }

    /// A lease of 0 in the table means "for ever" only where that was asked for; several routers report 0 for
    /// every entry.
    fn granted_lease(&self, reported: Option<u32>) -> Option<Duration> {
        let seconds = reported.filter(|&seconds| seconds > 0).unwrap_or(self.lease_seconds);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    fn holder(&self, reply: Result<Reply, Failure>) -> Holder {
        let entry = match reply {
            Ok(reply) => soap::port_mapping_entry(&reply),
            Err(Failure::Fault(Fault::Upnp { code: code::NO_SUCH_ENTRY | code::INDEX_INVALID, .. })) => {
                return Holder::Nobody;
            }
            Err(Failure::Fault(Fault::Upnp { .. })) => return Holder::Unknown,
            Err(_) => return Holder::Unclear,
        };
        let Ok(entry) = entry else { return Holder::Unclear };
        let same_target = entry.internal_client == InternalClient::Address(self.internal)
            && entry.internal_port == self.request.internal_port.get();
        if same_target && is_named(&entry.description, &self.description) {
            Holder::Ours { lease_seconds: entry.lease_seconds }
        } else {
            Holder::Another
        }
    }

    fn port_mapping(&self) -> PortMapping {
        PortMapping {
            external_port: self.request.external_port,
            transport: self.request.transport,
            internal_client: self.internal,
            internal_port: self.request.internal_port,
            description: self.description.clone(),
            lease_seconds: self.lease_seconds,
        }
    }
}
