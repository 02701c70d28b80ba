//! How what is ours leaves the table: it is looked at before it is deleted, and seen deleted.

use std::mem;

use super::reading::{Reading, read};
use super::refusal::code;
use super::{Attempt, Next, Step};
use crate::client::Refusal;
use crate::upnp::answer::Failure;
use crate::upnp::soap::{Fault, Reply};

/// An answer may be lost, or be wrong; a router that keeps what it was told twice to delete keeps it.
const DELETIONS_MAXIMUM: u8 = 2;

/// How far a deletion has come.
#[derive(Debug, Default)]
pub(super) struct Deletion {
    looked_again: bool,
    tries: u8,
    /// The router has listed it. If it denies that afterwards, it denies it to us: as routers do with what they list as
    /// another host's.
    pub(super) is_seen: bool,
    /// The router says that it is gone, for where it tells nobody what it has.
    is_told: bool,
    /// It was not listed any more after a deletion that the router had refused, or not answered.
    is_missed: bool,
}

impl Attempt {
    /// What is said not to be there, though we know of it, is looked for once more: nobody comes back for it.
    pub(super) fn looked_before_delete(&mut self, reply: Result<Reply, Failure>) -> Next {
        let is_silence = reply == Err(Failure::NoReply);
        match read(reply) {
            Reading::Unclear if is_silence => self.left(),
            Reading::Entry(entry) if self.owns(&entry) => {
                self.recognize(&entry);
                self.delete()
            }
            Reading::Empty | Reading::Unknown | Reading::Unclear => self.delete(),
            Reading::Nobody | Reading::Entry(_) => {
                if !self.is_known || self.deletion.looked_again {
                    return self.gone();
                }
                self.deletion.looked_again = true;
                Next::Ask(Step::LookBeforeDelete)
            }
        }
    }

    /// Deletes what was added and will not do.
    pub(super) fn undo(&mut self, refusal: Refusal) -> Next {
        self.refused_for.get_or_insert(refusal);
        self.delete()
    }

    fn delete(&mut self) -> Next {
        self.deletion.tries += 1;
        Next::Ask(Step::Delete)
    }

    pub(super) fn deleted(&mut self, reply: &Result<Reply, Failure>) -> Next {
        self.deletion.is_told = match reply {
            Ok(_) => true,
            Err(Failure::Fault(Fault::Upnp { code, .. })) => {
                *code == code::NO_SUCH_ENTRY && !self.deletion.is_seen
            }
            Err(Failure::Fault(_) | Failure::NoReply) => false,
        };
        Next::Ask(Step::SeeDeleted)
    }

    pub(super) fn seen_deleted(&mut self, reply: Result<Reply, Failure>) -> Next {
        let is_silence = reply == Err(Failure::NoReply);
        let is_last = self.deletion.tries >= DELETIONS_MAXIMUM;
        let is_gone = match read(reply) {
            // Whoever has refused, or not answered, is asked once more.
            _ if !self.deletion.is_told && !is_last => false,
            Reading::Nobody | Reading::Empty => true,
            Reading::Entry(entry) => !self.ours().is(&entry),
            Reading::Unknown | Reading::Unclear => self.deletion.is_told,
        };
        match is_gone {
            // One wrong answer must not leave a mapping behind.
            true if !self.deletion.is_told && !mem::replace(&mut self.deletion.is_missed, true) => {
                Next::Ask(Step::SeeDeleted)
            }
            true => self.gone(),
            false if is_silence || is_last => self.left(),
            false => self.delete(),
        }
    }

    fn gone(&mut self) -> Next {
        match self.releasing {
            true => Next::Released { confirmed: true },
            false => Next::Refused(self.refused_for.take().unwrap_or(Refusal::Unconfirmed)),
        }
    }

    fn left(&self) -> Next {
        if self.releasing {
            return Next::Released { confirmed: false };
        }
        let port = self.request.external_port;
        Next::Refused(Refusal::LeftBehind { port, lease: self.granted_lease(None) })
    }
}
