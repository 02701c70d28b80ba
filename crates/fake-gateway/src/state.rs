//! What the gateway knows, behind one lock between its thread and the test.

use std::net::Ipv4Addr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::builder::{Protocol, Quirk, Settings};
use crate::counters::{Arrival, Counters};
use crate::effect::Effect;
use crate::fault::Script;
use crate::table::Table;

/// More complaints than this tell nothing new.
const COMPLAINTS_MAXIMUM: usize = 100;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) address: Ipv4Addr,
    pub(crate) http_port: u16,
    pub(crate) table: Table,
    pub(crate) counters: Counters,
    pub(crate) script: Script,
    pub(crate) boot_id: u32,
    complaints: Vec<String>,
    started: Instant,
    /// Until when the answers before take.
    busy: Instant,
}

impl State {
    pub(crate) fn new(settings: Settings, address: Ipv4Addr, http_port: u16, now: Instant) -> Self {
        Self {
            settings,
            address,
            http_port,
            table: Table::default(),
            counters: Counters::default(),
            script: Script::default(),
            boot_id: 1,
            complaints: Vec::new(),
            started: now,
            busy: now,
        }
    }

    pub(crate) fn restart(&mut self, http_port: u16, now: Instant) {
        self.http_port = http_port;
        self.boot_id += 1;
        self.started = now;
    }

    pub(crate) fn speaks(&self, protocol: Protocol) -> bool {
        self.settings.protocols.contains(&protocol)
    }

    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.settings.quirks.contains(&quirk)
    }

    /// Counts a message, and tells what is to happen to its answer.
    pub(crate) fn meet(&mut self, arrival: &Arrival, now: Instant) -> Vec<Effect> {
        self.counters.count(arrival);
        if self.settings.expires {
            self.table.remove_expired(now);
        }
        let mut effects = self.script.play(arrival);
        self.counters.faulty += usize::from(!effects.is_empty());
        if !matches!(arrival, Arrival::Search { .. }) {
            effects.extend(self.turn(now));
        }
        effects
    }

    /// The wait until it is this one's turn, and its answer is made.
    pub(crate) fn turn(&mut self, now: Instant) -> Option<Effect> {
        self.busy = self.busy.max(now) + self.settings.work;
        (self.busy > now).then(|| Effect::Delay(self.busy - now))
    }

    /// Notes what a strict router would not have accepted.
    pub(crate) fn complain(&mut self, complaint: impl Into<String>) {
        if self.complaints.len() < COMPLAINTS_MAXIMUM {
            self.complaints.push(complaint.into());
        }
    }

    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Seconds since the gateway started.
    pub(crate) fn epoch(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.started).as_secs()).unwrap_or(u32::MAX)
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for a message.
    pub(crate) fn tell_change(&self) {
        self.changed.notify_all();
    }

    /// Whether it came to that in time.
    pub(crate) fn wait_until(&self, within: Duration, condition: impl Fn(&State) -> bool) -> bool {
        let unmet = |state: &mut State| !condition(state);
        let result = self.changed.wait_timeout_while(self.lock(), within, unmet);
        !result.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}
