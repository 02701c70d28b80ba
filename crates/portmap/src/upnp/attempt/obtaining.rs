//! How a mapping is obtained: looked for, added, and read back.

use super::reading::{Reading, read};
use super::refusal::{Doubt, No, refusal};
use super::{Attempt, Check, Listing, Next, Step};
use crate::client::Refusal;
use crate::upnp::answer::Failure;
use crate::upnp::soap::{PortMappingEntry, Reply};

impl Attempt {
    pub(super) fn looked(&mut self, reply: Result<Reply, Failure>) -> Next {
        if reply == Err(Failure::NoReply) {
            return Next::Refused(Refusal::NoAnswer);
        }
        match read(reply) {
            Reading::Entry(entry) if self.ours().is(&entry) => self.found(),
            // What is held does not become another's from one answer to the next.
            Reading::Entry(_) if self.is_known && !self.looked_again => self.look_again(),
            Reading::Entry(entry) if self.is_known && self.ours_unread().is(&entry) => {
                self.recognize(&entry);
                self.check = self.check.filter(|check| *check == Check::ByRemaking);
                self.found()
            }
            Reading::Entry(_) => Next::Refused(Refusal::Conflict),
            Reading::Nobody | Reading::Empty => {
                self.was_free = true;
                self.listing = Listing::Unread;
                Next::Ask(Step::Add)
            }
            Reading::Unknown | Reading::Unclear if !self.looked_again => self.look_again(),
            Reading::Unknown | Reading::Unclear => Next::Ask(Step::Add),
        }
    }

    fn look_again(&mut self) -> Next {
        self.looked_again = true;
        Next::Ask(Step::Look)
    }

    fn found(&mut self) -> Next {
        self.held_before = true;
        match self.check {
            Some(Check::ByTable) => Next::Confirmed,
            Some(Check::ByRemaking) => self.clear_once(),
            None => Next::Ask(Step::Add),
        }
    }

    pub(super) fn added(&mut self, reply: Result<Reply, Failure>) -> Next {
        let no = match reply {
            Ok(_) => {
                self.is_added = true;
                return Next::Ask(Step::Verify);
            }
            Err(failure) => No::from(failure),
        };
        match no {
            No::Lease { .. } if self.leases.fall_back() => Next::Ask(Step::Add),
            No::Lease { code } => self.refused(refusal(code)),
            No::Conflict if self.held_before => self.clear_once(),
            // With ourselves, if what was said of the port was wrong.
            No::Conflict if self.is_known => {
                self.doubt = Some(Doubt { is_error: true, ..Doubt::of(Refusal::Conflict) });
                Next::Ask(Step::Verify)
            }
            No::Conflict => self.refused(Refusal::Conflict),
            No::Plain(refusal) => self.refused(refusal),
            No::Unclear(doubt) => {
                self.doubt = Some(doubt);
                Next::Ask(Step::Verify)
            }
        }
    }

    fn refused(&mut self, refusal: Refusal) -> Next {
        self.leases.is_refused();
        Next::Refused(self.refused_for.take().unwrap_or(refusal))
    }

    fn clear_once(&mut self) -> Next {
        if self.cleared {
            return Next::Refused(Refusal::Unconfirmed);
        }
        self.cleared = true;
        Next::Ask(Step::Clear)
    }

    pub(super) fn verified(&mut self, reply: Result<Reply, Failure>) -> Next {
        let doubt = self.doubt.take();
        match (read(reply), doubt) {
            (Reading::Entry(entry), _) if self.owns(&entry) => self.taken(&entry),
            (Reading::Entry(_), None) if !self.verified_again => self.verify_again(),
            (Reading::Entry(_), _) => Next::Refused(Refusal::Conflict),
            (Reading::Nobody, None) if self.cleared => self.undo(Refusal::Unconfirmed),
            (Reading::Nobody, None) => self.clear_once(),
            (Reading::Empty | Reading::Unknown | Reading::Unclear, None) => self.granted(None),
            (Reading::Nobody, Some(doubt)) if doubt.may_be_unheard && !self.added_again => {
                self.added_again = true;
                Next::Ask(Step::Add)
            }
            (Reading::Nobody, Some(doubt)) => self.not_made(doubt),
            (_, Some(doubt)) if doubt.is_error => self.not_made(doubt),
            (_, Some(doubt)) => self.undo(doubt.refusal),
        }
    }

    /// What cannot reach us may have been read wrong, once.
    fn taken(&mut self, entry: &PortMappingEntry) -> Next {
        if self.ours().may_be_target_of(entry) {
            self.recognize(entry);
            return self.granted(entry.lease_seconds);
        }
        if !self.verified_again {
            return self.verify_again();
        }
        self.recognize(entry);
        self.undo(Refusal::Unconfirmed)
    }

    fn verify_again(&mut self) -> Next {
        self.verified_again = true;
        Next::Ask(Step::Verify)
    }

    fn not_made(&mut self, doubt: Doubt) -> Next {
        if doubt.may_be_lease && self.leases.try_permanent() {
            self.refused_for = Some(doubt.refusal);
            return Next::Ask(Step::Add);
        }
        self.refused(doubt.refusal)
    }

    fn granted(&mut self, reported: Option<u32>) -> Next {
        self.leases.is_accepted();
        Next::Granted { port: self.request.external_port, lease: self.granted_lease(reported) }
    }
}
