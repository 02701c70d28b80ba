//! One port, as far as it is known.

use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::time::Instant;

use super::claims::Claim;
use super::{GRACE, RECHECK};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) internal: SocketAddrV4,
    /// Whether the lease file has it.
    is_listed: bool,
    /// When that ends, if it does.
    expires: Option<Instant>,
    standing: Standing,
    pub(super) hold: Hold,
}

/// Whether it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Until the firewall is read, which is to begin no earlier than `since`: a mapping's rule is there before its line.
    Claimed { since: Instant },
    /// The firewall had it.
    Confirmed {
        /// From then on, only a firewall that has it keeps it.
        ask_at: Option<Instant>,
        /// At the last reading it had not, and whatever the lease file says does not count.
        is_missed: bool,
    },
    /// The firewall had no rule for it.
    Refuted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Unwanted,
    Asked,
    Whole,
    Outside,
    Missing { why: ErrorKind, retry_at: Instant, is_told: bool },
}

impl Entry {
    pub(super) fn claimed(claim: Claim, now: Instant) -> Self {
        Self {
            internal: claim.internal,
            is_listed: true,
            expires: claim.left.and_then(|left| now.checked_add(left)),
            standing: Standing::Claimed { since: now },
            hold: Hold::Asked,
        }
    }

    /// Found by a reading that began at `since`.
    pub(super) fn found(internal: SocketAddrV4, since: Instant) -> Self {
        let standing = Standing::Confirmed { ask_at: Some(since + RECHECK), is_missed: false };
        Self { internal, is_listed: false, expires: None, standing, hold: Hold::Asked }
    }

    pub(super) fn list(&mut self, claim: Claim, now: Instant) {
        self.is_listed = true;
        self.expires = claim.left.and_then(|left| now.checked_add(left));
        if let Standing::Confirmed { ask_at, is_missed: false } = &mut self.standing {
            *ask_at = None;
        }
    }

    pub(super) fn unlist(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_listed)
            && let Standing::Confirmed { ask_at, .. } = &mut self.standing
        {
            ask_at.get_or_insert(now + GRACE);
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        if self.expires.take_if(|expires| *expires <= now).is_some() {
            self.unlist(now);
        }
    }

    /// The firewall had it, by a reading that began at `since`.
    pub(super) fn confirm(&mut self, internal: SocketAddrV4, since: Instant) {
        let ask_at = match self.standing {
            _ if self.is_listed => None,
            // It is newer than the reading.
            Standing::Confirmed { ask_at: Some(ask_at), .. } if ask_at > since => Some(ask_at),
            _ => Some(since + RECHECK),
        };
        self.internal = internal;
        self.standing = Standing::Confirmed { ask_at, is_missed: false };
        if self.hold == Hold::Unwanted {
            self.hold = Hold::Asked;
        }
    }

    /// The firewall had it not.
    pub(super) fn miss(&mut self, since: Instant, now: Instant) {
        match self.standing {
            Standing::Confirmed { ask_at: None, .. } => {
                // A renewal takes its rule out and puts it back.
                self.standing = Standing::Confirmed { ask_at: Some(now + GRACE), is_missed: true };
            }
            _ if self.is_due(since) => {
                self.standing = Standing::Refuted;
                self.hold = Hold::Unwanted;
            }
            Standing::Claimed { .. } | Standing::Confirmed { .. } | Standing::Refuted => {}
        }
    }

    pub(super) fn is_listed(&self) -> bool {
        self.is_listed
    }

    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.standing, Standing::Confirmed { .. })
    }

    pub(super) fn is_refuted(&self) -> bool {
        self.standing == Standing::Refuted
    }

    /// Whether only a firewall that has it keeps it any longer.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.ask_at().is_some_and(|ask_at| ask_at <= now)
    }

    pub(super) fn ask_at(&self) -> Option<Instant> {
        match self.standing {
            Standing::Claimed { since } => Some(since),
            Standing::Confirmed { ask_at, .. } => ask_at,
            Standing::Refuted => None,
        }
    }

    /// Why it is not held, once; nobody is told of what may only be claimed.
    pub(super) fn complaint(&mut self) -> Option<ErrorKind> {
        match &mut self.hold {
            Hold::Missing { why, is_told, .. } if matches!(self.standing, Standing::Confirmed { .. }) => {
                (!std::mem::replace(is_told, true)).then_some(*why)
            }
            _ => None,
        }
    }

    /// But for the reading of the firewall.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let of_hold = match self.hold {
            Hold::Missing { retry_at, .. } => Some(retry_at),
            Hold::Unwanted | Hold::Asked | Hold::Whole | Hold::Outside => None,
        };
        self.expires.into_iter().chain(of_hold).min()
    }
}
