//! All deadlines of an agent.

use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A reply should have come by now.
    Answer,
    /// What was left to better ways goes over all.
    HeadStart,
    /// Better ways are to be tried.
    Trial,
    /// The next nudge of a silence.
    Step,
    /// A nudge that came too soon after the last one.
    Nudge,
    /// New sockets, for a NAT may be stuck with the old ones.
    Hop,
    /// The owner should look for other candidates.
    Alarm,
    /// A round of hole punching may begin, or has failed.
    Round,
    /// A relay is to be made use of, or has been of none.
    Relay,
    /// Old sockets have been kept long enough.
    Retire,
}

const ALL: [Timer; 10] = [
    Timer::Answer,
    Timer::HeadStart,
    Timer::Trial,
    Timer::Step,
    Timer::Nudge,
    Timer::Hop,
    Timer::Alarm,
    Timer::Round,
    Timer::Relay,
    Timer::Retire,
];

#[derive(Debug, Default)]
pub(crate) struct Timers([Option<Instant>; ALL.len()]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    pub(crate) fn set_no_later(&mut self, timer: Timer, at: Instant) {
        let slot = &mut self.0[timer as usize];
        *slot = Some(slot.map_or(at, |set| set.min(at)));
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<Timer> {
        let expired = ALL.into_iter().find(|&timer| self.0[timer as usize].is_some_and(|at| at <= now))?;
        self.clear(expired);
        Some(expired)
    }
}
