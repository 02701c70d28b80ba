//! The questions that obtain or delete one mapping, in order, and what each answer leads to.
//!
//! ```text
//! obtain:   Look ─► Add ─► Verify ─► granted        release:   LookBeforeDelete ─► Delete ─► SeeDeleted ─► released
//!             │       ├──► Clear ─► Add (once)                                       └◄─ still there (once)
//!             │       ├──► Verify ─► Add (once, where it may not have been heard)
//!             │       └──► Verify ─► Delete ─► SeeDeleted ─► refused
//!             └─ another's: refused
//! ```
//!
//! A router may add what it then fails to say, and list it otherwise than it was told. What we added to a port that
//! nobody had is ours, whatever it reads like; it is taken, or deleted and seen deleted, before another is asked for.

mod deleting;
mod holder;
mod leases;
mod obtaining;
mod reading;
mod refusal;

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use self::deleting::Deletion;
use self::holder::names_another;
pub use self::holder::{Listing, Ours};
pub(super) use self::leases::Known as KnownLeases;
use self::leases::Leases;
use self::refusal::Doubt;
use super::answer::{self, Failure};
use super::soap::{self, Call, PortMapping, PortMappingEntry, Reply};
use crate::client::{Refusal, Request};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Look,
    /// Makes room for an entry that is ours, but that the router refuses to overwrite or does not show.
    Clear,
    Add,
    Verify,
    LookBeforeDelete,
    Delete,
    SeeDeleted,
}

type Next = answer::Next<Step>;

#[derive(Debug)]
pub(super) struct Attempt {
    request: Request,
    internal: IpAddr,
    description: String,
    leases: Leases,
    check: Option<Check>,
    /// How what is there of ours is listed.
    listing: Listing,
    /// We hold it, or may have added it.
    is_known: bool,
    /// The first look has shown it.
    held_before: bool,
    was_free: bool,
    /// The router said yes.
    is_added: bool,
    added_again: bool,
    looked_again: bool,
    verified_again: bool,
    cleared: bool,
    doubt: Option<Doubt>,
    /// The reason that is told, whatever comes of what is tried after it.
    refused_for: Option<Refusal>,
    deletion: Deletion,
    releasing: bool,
}

/// What is known of the mapping and of its router before the first question.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// How the table lists it, where it is held.
    pub(super) listing: Option<Listing>,
    pub(super) leases: KnownLeases,
}

/// When an entry that is there is as good as a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The router's table is believed.
    ByTable,
    /// The table may list what the firewall has lost. Then only an entry that is new is sure to be forwarded.
    ByRemaking,
}

impl Attempt {
    pub(super) fn to_obtain(
        request: Request,
        internal: IpAddr,
        description: String,
        known: Known,
    ) -> (Self, Step) {
        (Self::new(request, internal, description, known, false), Step::Look)
    }

    /// Looks for the entry, and obtains it where it is not there.
    pub(super) fn to_check(
        check: Check,
        request: Request,
        internal: IpAddr,
        description: String,
        known: Known,
    ) -> (Self, Step) {
        let (attempt, first) = Self::to_obtain(request, internal, description, known);
        (Self { check: Some(check), ..attempt }, first)
    }

    /// Of `request` only the ports and the transport count.
    pub(super) fn to_release(
        request: Request,
        internal: IpAddr,
        description: String,
        known: Known,
    ) -> (Self, Step) {
        let attempt = Self::new(request, internal, description, known, true);
        (Self { is_known: true, ..attempt }, Step::LookBeforeDelete)
    }

    fn new(request: Request, internal: IpAddr, description: String, known: Known, releasing: bool) -> Self {
        let lease_seconds = u32::try_from(request.lease.as_secs()).unwrap_or(u32::MAX);
        Self {
            request,
            internal,
            description,
            leases: Leases::new(lease_seconds, known.leases),
            check: None,
            is_known: known.listing.is_some(),
            listing: known.listing.unwrap_or_default(),
            held_before: false,
            was_free: false,
            is_added: false,
            added_again: false,
            looked_again: false,
            verified_again: false,
            cleared: false,
            doubt: None,
            refused_for: None,
            deletion: Deletion::default(),
            releasing,
        }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn is_about(&self, internal: IpAddr, external_port: NonZeroU16) -> bool {
        (self.internal, self.request.external_port) == (internal, external_port)
    }

    /// How the table lists it, as far as it was read.
    pub(super) fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(super) fn known_leases(&self) -> KnownLeases {
        self.leases.known()
    }

    pub(super) fn is_releasing(&self) -> bool {
        self.releasing
    }

    /// From now on whatever the open question brings is deleted; the question itself is waited for, because a
    /// router may add what nobody waits for any more.
    pub(super) fn turn_to_release(&mut self) {
        self.releasing = true;
    }

    /// Instead of what was to be asked, unless that is about a deletion already. There may be one from before; what was
    /// to be read back was added.
    pub(super) fn withdraw(&mut self, step: Step) -> Next {
        self.is_known |= step == Step::Verify;
        Next::Ask(match step {
            Step::Look | Step::Clear | Step::Add | Step::Verify => Step::LookBeforeDelete,
            Step::LookBeforeDelete | Step::Delete | Step::SeeDeleted => step,
        })
    }

    pub(super) fn call(&self, step: Step, service_type: &str) -> Call {
        let Request { transport, external_port, .. } = self.request;
        match step {
            Step::Look | Step::Verify | Step::LookBeforeDelete | Step::SeeDeleted => {
                soap::get_specific_port_mapping_entry(service_type, external_port, transport)
            }
            Step::Add => soap::add_port_mapping(service_type, &self.port_mapping()),
            Step::Clear | Step::Delete => soap::delete_port_mapping(service_type, external_port, transport),
        }
    }

    pub(super) fn advance(&mut self, step: Step, reply: Result<Reply, Failure>) -> Next {
        if self.releasing && matches!(step, Step::Look | Step::Clear | Step::Add | Step::Verify) {
            return self.turned_to_release(step, reply.is_ok());
        }
        match step {
            Step::Look => self.looked(reply),
            Step::Clear => Next::Ask(Step::Add),
            Step::Add => self.added(reply),
            Step::Verify => self.verified(reply),
            Step::LookBeforeDelete => self.looked_before_delete(reply),
            Step::Delete => self.deleted(&reply),
            Step::SeeDeleted => self.seen_deleted(reply),
        }
    }

    fn turned_to_release(&mut self, step: Step, is_done: bool) -> Next {
        self.is_added |= step == Step::Add && is_done;
        self.is_known |= matches!(step, Step::Add | Step::Verify);
        Next::Ask(Step::LookBeforeDelete)
    }

    /// A lease of 0 in the table means "for ever" only where that was asked for; several routers report 0 for
    /// every entry.
    fn granted_lease(&self, reported: Option<u32>) -> Option<Duration> {
        let seconds = reported.filter(|&seconds| seconds > 0).unwrap_or(self.leases.current());
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// What stands where the router has said yes to us is ours even under another name; and even if it leads elsewhere,
    /// where nobody was before.
    fn owns(&self, entry: &PortMappingEntry) -> bool {
        let was_ours_or_free = self.was_free || self.held_before;
        let as_added = || match was_ours_or_free {
            true => !names_another(&entry.description, &self.description),
            false => self.ours_unread().is(entry),
        };
        self.ours().is(entry) || self.is_added && as_added()
    }

    /// From now on it is known by what it reads like, and by nothing else.
    fn recognize(&mut self, entry: &PortMappingEntry) {
        self.listing = self.ours().listed(entry);
        self.is_added = false;
        self.deletion.is_seen = true;
    }

    fn ours(&self) -> Ours<'_> {
        self.ours_as(&self.listing)
    }

    fn ours_unread(&self) -> Ours<'_> {
        self.ours_as(&Listing::Unread)
    }

    fn ours_as<'a>(&'a self, listing: &'a Listing) -> Ours<'a> {
        let internal_port = self.request.internal_port.get();
        Ours { internal: self.internal, internal_port, description: &self.description, listing }
    }

    fn port_mapping(&self) -> PortMapping {
        PortMapping {
            external_port: self.request.external_port,
            transport: self.request.transport,
            internal_client: self.internal,
            internal_port: self.request.internal_port,
            description: self.description.clone(),
            lease_seconds: self.leases.current(),
        }
    }
}
