//! Which ports of the router must be held, so that no program of the router's own takes one that leads elsewhere.
//!
//! The lease file tells at once, and the firewall tells the truth, at a price. A host of the LAN can write any line into
//! the file, but a rule of the firewall is miniupnpd's own. So a line is a claim: only such as miniupnpd's permissions
//! allow, of a port that a mosh-server may take. Its port is held at once, the firewall is read, and what that does not
//! redirect is let go; it is held again only when the firewall has it. Clients inside are led only where the last reading
//! says.
//!
//! The firewall is read as well before a port is given up, for a mapping that the file does not know, when the file claims
//! something else than before, and now and then. The file is not enough when miniupnpd is dead and its rules are not, and
//! when it drops lines that it should keep (removing port 6000 drops those of 60000 to 60009).
//!
//! Feed it with [`handle_claims`](Guard::handle_claims) and the answers to its [`Action`]s, and call
//! [`handle_timeout`](Guard::handle_timeout) no later than [`poll_timeout`](Guard::poll_timeout) says.

mod change;
mod claims;
mod entry;
mod hairpin;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use self::change::Change;
pub use self::claims::{Claims, Scope};
use self::entry::{Entry, Hold};
use self::hairpin::{Hairpin, QUIET};
use crate::mapping::Mappings;
use crate::pace::Pace;
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

/// Between two readings: whoever may write into the lease file decides how many there would be. Short enough for a
/// mapping to be held within a second whatever else the file says of its port.
pub const PAUSE: Duration = Duration::from_millis(250);

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
    /// The rules have no chain of miniupnpd, and had none before: nothing can be confirmed.
    NoChain,
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

/// Whether it can be read, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Firewall {
    /// Its chain of miniupnpd was seen, though it may be gone now.
    Readable,
    /// It could be.
    Awaited {
        until: Instant,
    },
    Unreadable,
}

#[derive(Debug)]
pub struct Guard {
    scope: Scope,
    entries: BTreeMap<NonZeroU16, Entry>,
    /// For everybody outside, at the last reading.
    redirected: Mappings,
    /// Until the first lease file was read, nothing is known.
    knows_leases: bool,
    reads_it_all: bool,
    change: Change,
    next_reading: Instant,
    reading_since: Option<Instant>,
    pace: Pace,
    firewall: Firewall,
    has_told_no_chain: bool,
    hairpin: Option<Hairpin>,
    actions: VecDeque<Action>,
}

impl Guard {
    #[must_use]
    pub fn new(scope: Scope, now: Instant) -> Self {
        Self {
            entries: BTreeMap::new(),
            redirected: Mappings::new(),
            knows_leases: false,
            reads_it_all: true,
            change: Change::new(if scope.hairpin { QUIET } else { GRACE }),
            next_reading: now,
            reading_since: None,
            pace: Pace::new(PAUSE),
            firewall: Firewall::Unreadable,
            has_told_no_chain: false,
            hairpin: scope.hairpin.then(Hairpin::default),
            scope,
            actions: VecDeque::new(),
        }
    }

    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The lease file has changed, and is yet to be read. If some of its lines are not believed, or are being judged, or are
    /// never read, the firewall has to tell: a mapping may be among them.
    pub fn handle_change(&mut self, now: Instant) {
        if !self.reads_it_all || !self.entries.values().all(Entry::is_confirmed) {
            self.next_reading = now;
            self.go_on(now);
        }
    }

    /// The lease file as it is now.
    pub fn handle_claims(&mut self, mut claims: Claims, now: Instant) {
        self.knows_leases = true;
        self.change.see(claims.fingerprint, now);
        for (port, entry) in &mut self.entries {
            match claims.ports.remove(port) {
                Some(claim) => entry.list(claim, now),
                None => entry.unlist(now),
            }
        }
        self.entries.retain(|_, entry| entry.is_listed() || !entry.is_refuted());
        if std::mem::replace(&mut self.reads_it_all, claims.is_whole) && !claims.is_whole {
            self.next_reading = now;
        }
        for (port, claim) in claims.ports {
            self.add(port, Entry::claimed(claim, now));
        }
        self.go_on(now);
    }

    /// What the firewall had; `None` if it could not be read.
    pub fn handle_firewall(&mut self, reading: Option<&Reading>, now: Instant) {
        let Some(since) = self.reading_since.take() else { return };
        self.pace.rest(since, now);
        match reading {
            Some(reading) => self.read(reading, since, now),
            None => self.do_without_reading(since, now),
        }
        self.go_on(now);
    }

    /// `since` is when the reading began.
    fn read(&mut self, reading: &Reading, since: Instant, now: Instant) {
        match &reading.mappings {
            Some(mappings) => {
                self.firewall = Firewall::Readable;
                self.compare(mappings, since, now);
                self.redirected = reading.for_everybody();
            }
            None if self.firewall == Firewall::Unreadable => {
                self.believe_the_lease_file(since, now);
                if !std::mem::replace(&mut self.has_told_no_chain, true) {
                    self.actions.push_back(Action::Tell(Notice::NoChain));
                }
            }
            // All rules were flushed, with the chains.
            None => {
                self.firewall = Firewall::Readable;
                self.compare(&Mappings::new(), since, now);
                self.redirected.clear();
            }
        }
        if let Some(hairpin) = &mut self.hairpin
            && !reading.has_hairpin_table
        {
            // Somebody flushed the rules, ours too.
            hairpin.forget();
        }
    }

    fn compare(&mut self, mappings: &Mappings, since: Instant, now: Instant) {
        let scope = &self.scope;
        let held = mappings.iter().filter(|(external, _)| scope.holds(external.transport, external.port));
        let mut redirected: BTreeMap<NonZeroU16, SocketAddrV4> =
            held.map(|(external, internal)| (external.port, *internal)).collect();
        self.judge(since, now, |port, _| redirected.remove(&port));
        for (port, internal) in redirected {
            self.add(port, Entry::found(internal, since));
        }
    }

    fn believe_the_lease_file(&mut self, since: Instant, now: Instant) {
        self.judge(since, now, |_, entry| entry.is_listed().then_some(entry.internal));
        self.redirected.clear();
    }

    /// `redirected` tells where a port leads.
    fn judge(
        &mut self,
        since: Instant,
        now: Instant,
        mut redirected: impl FnMut(NonZeroU16, &Entry) -> Option<SocketAddrV4>,
    ) {
        for (port, entry) in &mut self.entries {
            let was_refuted = entry.is_refuted();
            match redirected(*port, entry) {
                Some(internal) => entry.confirm(internal, since),
                None => entry.miss(since, now),
            }
            match (was_refuted, entry.is_refuted()) {
                (true, false) => self.actions.push_back(Action::Hold(*port)),
                (false, true) => self.actions.push_back(Action::Release(*port)),
                (true, true) | (false, false) => self.actions.extend(complaint(*port, entry)),
            }
        }
        self.entries.retain(|_, entry| entry.is_listed() || !entry.is_refuted());
    }

    fn do_without_reading(&mut self, since: Instant, now: Instant) {
        self.firewall = match self.firewall {
            Firewall::Readable => Firewall::Awaited { until: now + TRUST },
            Firewall::Awaited { until } if until <= now => Firewall::Unreadable,
            known => known,
        };
        match self.firewall {
            Firewall::Unreadable => self.believe_the_lease_file(since, now),
            Firewall::Readable | Firewall::Awaited { .. } => {
                self.next_reading = now + REREAD;
                self.pace.no_earlier_than(self.next_reading);
            }
        }
    }

    pub fn handle_hold(&mut self, port: NonZeroU16, extent: Extent, now: Instant) {
        let Some(entry) = self.entries.get_mut(&port).filter(|entry| !entry.is_refuted()) else { return };
        let was_told = matches!(entry.hold, Hold::Missing { is_told: true, .. });
        entry.hold = match extent {
            Extent::Whole => Hold::Whole,
            Extent::Outside => Hold::Outside,
            Extent::Nothing(why) => Hold::Missing { why, retry_at: now + RETRY, is_told: was_told },
        };
        if was_told && matches!(extent, Extent::Whole | Extent::Outside) {
            self.actions.push_back(Action::Tell(Notice::NowHeld { port }));
        }
        self.actions.extend(complaint(port, entry));
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
        self.actions.extend(partly.map(|(port, _)| Action::Hold(*port)));
        if let Some(hairpin) = &mut self.hairpin {
            hairpin.forget();
        }
        self.go_on(now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.entries.values_mut().for_each(|entry| entry.expire(now));
        for (port, entry) in &mut self.entries {
            if let Hold::Missing { retry_at, .. } = &mut entry.hold
                && *retry_at <= now
            {
                *retry_at = now + RETRY;
                self.actions.push_back(Action::Hold(*port));
            }
        }
        self.go_on(now);
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), once every action has been polled; those that wait are no
    /// deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_entries = self.entries.values().filter_map(Entry::timeout);
        let may_read = self.knows_leases && self.reading_since.is_none();
        let of_reading = may_read.then(|| self.reading_due());
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
            && self.entries.values().all(|entry| entry.hold != Hold::Asked)
    }

    /// How many ports there are to hold, and how many of them are not ours.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let wanted = self.entries.values().filter(|entry| !entry.is_refuted());
        let missing = wanted.clone().filter(|entry| matches!(entry.hold, Hold::Missing { .. }));
        (wanted.count(), missing.count())
    }

    fn add(&mut self, port: NonZeroU16, entry: Entry) {
        self.entries.insert(port, entry);
        self.actions.push_back(Action::Hold(port));
    }

    fn reading_due(&self) -> Instant {
        let of_entries = self.entries.values().filter_map(Entry::ask_at).min();
        let due = of_entries.into_iter().chain(self.change.due()).fold(self.next_reading, Instant::min);
        self.pace.next().map_or(due, |next| next.max(due))
    }

    fn go_on(&mut self, now: Instant) {
        if !self.knows_leases {
            return;
        }
        if self.reading_since.is_none() && self.reading_due() <= now {
            self.reading_since = Some(now);
            self.next_reading = now + RECONCILE;
            self.change.read();
            self.actions.push_back(Action::ReadFirewall);
        }
        // Not before the firewall was read, so that the first rules are whole.
        if let Some(hairpin) = &mut self.hairpin
            && self.reading_since.is_none()
        {
            self.actions.extend(hairpin.follow(&self.redirected, now).map(Action::Hairpin));
        }
    }
}

fn complaint(port: NonZeroU16, entry: &mut Entry) -> Option<Action> {
    let why = entry.complaint()?;
    Some(Action::Tell(Notice::NotHeld { port, internal: entry.internal, why }))
}
