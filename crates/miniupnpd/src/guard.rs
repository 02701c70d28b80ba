//! Which ports of the router must be held, so that no program of the router's own takes one that leads elsewhere.
//!
//! The lease file tells at once, and the firewall tells the truth, at a price. So the file is followed, and the firewall
//! is read where the file is not enough: before a port is given up, for a mapping that the file does not know, and now
//! and then. The file is not enough when miniupnpd is dead and its rules are not, and when it drops lines that it should
//! keep (removing port 6000 drops those of 60000 to 60009).
//!
//! Feed it with [`handle_leases`](Guard::handle_leases) and the answers to its [`Action`]s, and call
//! [`handle_timeout`](Guard::handle_timeout) no later than [`poll_timeout`](Guard::poll_timeout) says.

mod entry;
mod hairpin;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use self::entry::{Entry, Hold};
use self::hairpin::Hairpin;
use crate::lease_file::Lease;
use crate::mapping::{External, Mappings, Transport};
use crate::redirections::Reading;

/// A renewal takes the line out of the lease file and puts it back, and a restart of miniupnpd all lines: milliseconds,
/// on a slow router more.
pub const GRACE: Duration = Duration::from_secs(2);

/// How often a mapping that only the firewall knows is looked after; with the time that a reading takes, its port is free
/// within five seconds of its end.
pub const RECHECK: Duration = Duration::from_secs(4);

/// How often the firewall is read when the lease file accounts for all of it. What this finds is rare, and a small router
/// may have thousands of rules to print.
pub const RECONCILE: Duration = Duration::from_secs(30);

/// Until the firewall is read again where it could not be, though it could before: another program that changed the rules
/// meanwhile is done in milliseconds.
pub const REREAD: Duration = Duration::from_secs(1);

/// How long a firewall that could be read is believed to come back. Until then no port is given up: what is held in vain
/// costs a number, and what is given up in error a session. After that the lease file has to do, as where the firewall
/// never could be read.
pub const TRUST: Duration = Duration::from_secs(30);

/// How often a port is tried for that somebody else has. Nothing tells when it is free; to try costs a few microseconds,
/// and within a second it must be ours.
pub const RETRY: Duration = Duration::from_millis(500);

/// What is to be done. Each but the releases and notices is answered by the call of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// See [`Guard::handle_hold`]. A port may be held already, in part.
    Hold(NonZeroU16),
    Release(NonZeroU16),
    /// See [`Guard::handle_firewall`].
    ReadFirewall,
    /// See [`Guard::handle_hairpin`].
    Hairpin(Mappings),
    Tell(Notice),
}

/// What an administrator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Outside, the port leads to `internal`. In most cases a program of this router has it, too, and is not heard there.
    NotHeld {
        port: NonZeroU16,
        internal: SocketAddrV4,
        why: ErrorKind,
    },
    NowHeld {
        port: NonZeroU16,
    },
}

/// How much of a port could be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// No program can bind it to any address.
    Whole,
    /// Not to the outside address, nor to all; some other address of the router is somebody's already.
    Outside,
    Nothing(ErrorKind),
}

/// The lease file has to do; of the table for clients inside it says nothing.
const NO_READING: Reading = Reading { mappings: None, has_hairpin_table: true };

/// Whether it can be read, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Firewall {
    Readable,
    /// It could be.
    Awaited {
        until: Instant,
    },
    Unreadable,
}

#[derive(Debug)]
pub struct Guard {
    entries: BTreeMap<External, Entry>,
    /// Until the first lease file was read, nothing is known.
    knows_leases: bool,
    next_reading: Instant,
    reading_since: Option<Instant>,
    firewall: Firewall,
    hairpin: Option<Hairpin>,
    actions: VecDeque<Action>,
}

impl Guard {
    #[must_use]
    pub fn new(hairpin: bool, now: Instant) -> Self {
        Self {
            entries: BTreeMap::new(),
            knows_leases: false,
            next_reading: now,
            reading_since: None,
            firewall: Firewall::Unreadable,
            hairpin: hairpin.then(Hairpin::default),
            actions: VecDeque::new(),
        }
    }

    /// The lease file as it is now. `unix_now` is in seconds since 1970.
    pub fn handle_leases(&mut self, leases: &[Lease], unix_now: u64, now: Instant) {
        self.knows_leases = true;
        let mut listed = BTreeMap::new();
        for lease in leases.iter().filter(|lease| lease.expires.is_none_or(|expires| expires > unix_now)) {
            let left = lease.expires.map(|expires| Duration::from_secs(expires - unix_now));
            listed.insert(lease.external, (lease.internal, left.and_then(|left| now.checked_add(left))));
        }
        for (external, entry) in &mut self.entries {
            match listed.remove(external) {
                Some((internal, expires)) => entry.list(internal, expires),
                None => entry.unlist(now),
            }
        }
        for (external, (internal, expires)) in listed {
            self.add(external, Entry::listed(internal, expires));
        }
        self.go_on(now);
    }

    /// What the firewall had; `None` if it could not be read.
    pub fn handle_firewall(&mut self, reading: Option<&Reading>, now: Instant) {
        let Some(since) = self.reading_since.take() else { return };
        match reading {
            Some(reading) => {
                self.firewall = Firewall::Readable;
                self.compare(reading, since, now);
            }
            None => self.do_without_reading(since, now),
        }
        self.go_on(now);
    }

    /// `since` is when the reading began.
    fn compare(&mut self, reading: &Reading, since: Instant, now: Instant) {
        self.next_reading = now + RECONCILE;
        let none = Mappings::new();
        let redirected = reading.mappings.as_ref().unwrap_or(&none);
        for (external, internal) in redirected {
            match self.entries.get_mut(external) {
                Some(entry) => entry.confirm(*internal, since),
                None => self.add(*external, Entry::confirmed(*internal, since)),
            }
        }
        let gone: Vec<External> = self
            .entries
            .iter()
            .filter(|(external, entry)| !redirected.contains_key(external) && entry.is_due(since))
            .map(|(external, _)| *external)
            .collect();
        gone.into_iter().for_each(|external| self.remove(external));
        if let Some(hairpin) = &mut self.hairpin
            && !reading.has_hairpin_table
        {
            // Somebody flushed the rules, ours too.
            hairpin.forget();
        }
    }

    fn do_without_reading(&mut self, since: Instant, now: Instant) {
        self.firewall = match self.firewall {
            Firewall::Readable => Firewall::Awaited { until: now + TRUST },
            Firewall::Awaited { until } if until <= now => Firewall::Unreadable,
            known => known,
        };
        match self.firewall {
            Firewall::Unreadable => self.compare(&NO_READING, since, now),
            Firewall::Readable | Firewall::Awaited { .. } => self.ask_again(now),
        }
    }

    fn ask_again(&mut self, now: Instant) {
        self.next_reading = now + REREAD;
        self.entries.values_mut().for_each(|entry| entry.postpone(now + REREAD));
    }

    pub fn handle_hold(&mut self, port: NonZeroU16, extent: Extent, now: Instant) {
        let Some(entry) = self.entries.get_mut(&External::udp(port)) else { return };
        let was_missing = matches!(entry.hold, Hold::Missing { .. });
        entry.hold = match extent {
            Extent::Whole => Hold::Whole,
            Extent::Outside => Hold::Outside,
            Extent::Nothing(_) => Hold::Missing { retry_at: now + RETRY },
        };
        let notice = match (was_missing, extent) {
            (false, Extent::Nothing(why)) => Notice::NotHeld { port, internal: entry.internal, why },
            (true, Extent::Whole | Extent::Outside) => Notice::NowHeld { port },
            _ => return,
        };
        self.actions.push_back(Action::Tell(notice));
    }

    /// Whether the rules that were asked for are in force.
    pub fn handle_hairpin(&mut self, applied: bool, now: Instant) {
        let Some(hairpin) = &mut self.hairpin else { return };
        hairpin.handle_result(applied, now);
        self.go_on(now);
    }

    /// This router has other addresses now.
    pub fn handle_addresses(&mut self, now: Instant) {
        let partly = self.entries.iter().filter(|(_, entry)| entry.hold == Hold::Outside);
        self.actions.extend(partly.map(|(external, _)| Action::Hold(external.port)));
        if let Some(hairpin) = &mut self.hairpin {
            hairpin.forget();
        }
        self.go_on(now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.entries.values_mut().for_each(|entry| entry.expire(now));
        for (external, entry) in &mut self.entries {
            if let Hold::Missing { retry_at } = &mut entry.hold
                && *retry_at <= now
            {
                *retry_at = now + RETRY;
                self.actions.push_back(Action::Hold(external.port));
            }
        }
        self.go_on(now);
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_entries =
            self.entries.values().filter_map(|entry| entry.timeout(self.reading_since.is_some()));
        let may_read = self.knows_leases && self.reading_since.is_none();
        let of_reading = may_read.then_some(self.next_reading);
        let of_hairpin = self.hairpin.as_ref().filter(|_| self.reading_since.is_none());
        let of_hairpin = of_hairpin.and_then(Hairpin::poll_timeout);
        of_entries.chain(of_reading).chain(of_hairpin).min()
    }

    /// Whether everything that was known at the start is done.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.knows_leases
            && self.reading_since.is_none()
            && self.actions.is_empty()
            && self.hairpin.as_ref().is_none_or(Hairpin::is_applied)
            && self
                .entries
                .iter()
                .all(|(external, entry)| external.transport == Transport::Tcp || entry.hold != Hold::Asked)
    }

    /// How many ports there are to hold, and how many of them are not ours.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let udp = self.entries.iter().filter(|(external, _)| external.transport == Transport::Udp);
        let missing = udp.clone().filter(|(_, entry)| matches!(entry.hold, Hold::Missing { .. }));
        (udp.count(), missing.count())
    }

    fn add(&mut self, external: External, entry: Entry) {
        if external.transport == Transport::Udp {
            self.actions.push_back(Action::Hold(external.port));
        }
        self.entries.insert(external, entry);
    }

    fn remove(&mut self, external: External) {
        self.entries.remove(&external);
        if external.transport == Transport::Udp {
            self.actions.push_back(Action::Release(external.port));
        }
    }

    fn go_on(&mut self, now: Instant) {
        if !self.knows_leases {
            return;
        }
        let due = self.next_reading <= now || self.entries.values().any(|entry| entry.is_due(now));
        if due && self.reading_since.is_none() {
            self.reading_since = Some(now);
            self.actions.push_back(Action::ReadFirewall);
        }
        // Not before the firewall was read, so that the first rules are whole.
        if let Some(hairpin) = &mut self.hairpin
            && self.reading_since.is_none()
        {
            let wanted = self.entries.iter().map(|(external, entry)| (*external, entry.internal)).collect();
            self.actions.extend(hairpin.follow(wanted, now).map(Action::Hairpin));
        }
    }
}
