//! One mapping, as far as it is known.

use std::net::SocketAddrV4;
use std::time::Instant;

use super::{GRACE, RECHECK};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) internal: SocketAddrV4,
    source: Source,
    pub(super) hold: Hold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    LeaseFile {
        /// When the lease ends, if it does.
        expires: Option<Instant>,
    },
    /// It is not, or no longer, in the lease file; the firewall is to be asked then.
    Firewall { ask_at: Instant },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Asked,
    Whole,
    Outside,
    Missing { retry_at: Instant },
}

impl Entry {
    pub(super) fn listed(internal: SocketAddrV4, expires: Option<Instant>) -> Self {
        Self { internal, source: Source::LeaseFile { expires }, hold: Hold::Asked }
    }

    /// Found by a reading that began at `since`.
    pub(super) fn confirmed(internal: SocketAddrV4, since: Instant) -> Self {
        Self { internal, source: Source::Firewall { ask_at: since + RECHECK }, hold: Hold::Asked }
    }

    pub(super) fn list(&mut self, internal: SocketAddrV4, expires: Option<Instant>) {
        *self = Self { internal, source: Source::LeaseFile { expires }, hold: self.hold };
    }

    pub(super) fn unlist(&mut self, now: Instant) {
        if let Source::LeaseFile { .. } = self.source {
            self.source = Source::Firewall { ask_at: now + GRACE };
        }
    }

    pub(super) fn confirm(&mut self, internal: SocketAddrV4, since: Instant) {
        if self.is_due(since) {
            self.internal = internal;
            self.source = Source::Firewall { ask_at: since + RECHECK };
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        if let Source::LeaseFile { expires: Some(expires) } = self.source
            && expires <= now
        {
            self.unlist(now);
        }
    }

    /// Whether only a firewall that has it keeps it any longer.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.source, Source::Firewall { ask_at } if ask_at <= now)
    }

    /// The firewall is to be asked no earlier than `later`.
    pub(super) fn postpone(&mut self, later: Instant) {
        if self.is_due(later) {
            self.source = Source::Firewall { ask_at: later };
        }
    }

    pub(super) fn timeout(&self, reading: bool) -> Option<Instant> {
        let of_source = match self.source {
            Source::LeaseFile { expires } => expires,
            Source::Firewall { ask_at } => Some(ask_at).filter(|_| !reading),
        };
        let of_hold = match self.hold {
            Hold::Missing { retry_at } => Some(retry_at),
            Hold::Asked | Hold::Whole | Hold::Outside => None,
        };
        of_source.into_iter().chain(of_hold).min()
    }
}
