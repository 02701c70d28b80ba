//! A deadline that comes in time although the machine has slept.
//!
//! The time of poll(2) stands still in sleep, so that its end comes late by as much. A timer of timerfd_create(2) with
//! CLOCK_BOOTTIME is over as soon as the machine wakes up, and does not wake it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::clock;
use crate::wait::wait_for;

#[derive(Debug)]
pub struct Alarm(OwnedFd);

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// A timer that is set to nothing never ends.
const SHORTEST: Duration = Duration::from_nanos(1);

impl Alarm {
    /// # Errors
    ///
    /// The kernel gives no timer.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self(timerfd_create(TimerfdClockId::Boottime, flags)?))
    }

    /// As [`crate::wait::wait`] does; but the deadline, by [`clock::now`], is kept in sleep, too.
    ///
    /// # Errors
    ///
    /// Those of [`crate::wait::wait`], or the kernel does not set the timer.
    pub fn wait<'a>(
        &'a self,
        descriptors: &mut Vec<PollFd<'a>>,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        self.set(deadline)?;
        descriptors.push(PollFd::new(&self.0, PollFlags::IN));
        let waited = wait_for(descriptors, None);
        descriptors.pop();
        waited
    }

    fn set(&self, deadline: Option<Instant>) -> io::Result<()> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()).max(SHORTEST));
        let never = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };
        let it_value = left.map_or(ZERO, |left| Timespec::try_from(left).unwrap_or(never));
        let setting = Itimerspec { it_interval: ZERO, it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &setting)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// proc_pid_fdinfo(5): as the kernel names its clock.
    #[test]
    fn its_clock_goes_on_in_sleep() {
        use std::os::fd::AsRawFd;
        let alarm = Alarm::new().unwrap();
        let information = format!("/proc/self/fdinfo/{}", alarm.0.as_raw_fd());
        let information = std::fs::read_to_string(information).unwrap();
        assert!(information.contains("clockid: 7\n"), "CLOCK_BOOTTIME expected: {information}");
    }
}
