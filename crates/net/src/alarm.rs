//! A deadline to wait for beside other descriptors, which comes in time although the machine has slept.
//!
//! The time of poll(2) stands still in sleep, so that its end comes late by as much. A timer of timerfd_create(2) with
//! CLOCK_BOOTTIME is over as soon as the machine wakes up, and does not wake it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::clock;

/// Readable from its deadline on.
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

    /// By [`clock::now`], and in place of the deadline before. `None`: never.
    ///
    /// # Errors
    ///
    /// The kernel does not set the timer.
    pub fn set(&self, deadline: Option<Instant>) -> io::Result<()> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()).max(SHORTEST));
        let never = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };
        let it_value = left.map_or(ZERO, |left| Timespec::try_from(left).unwrap_or(never));
        let setting = Itimerspec { it_interval: ZERO, it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &setting)?;
        Ok(())
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags};

    use super::*;
    use crate::wait::wait_for;

    fn comes(alarm: &Alarm, within: Duration) -> bool {
        let mut descriptors = [PollFd::new(alarm, PollFlags::IN)];
        wait_for(&mut descriptors, Some(within)).unwrap();
        !descriptors[0].revents().is_empty()
    }

    #[test]
    fn it_comes_at_the_deadline_that_was_set_last_and_stays() {
        let alarm = Alarm::new().unwrap();
        let deadline = clock::now() + Duration::from_millis(20);
        alarm.set(Some(clock::now() + Duration::from_secs(1_000))).unwrap();
        assert!(!comes(&alarm, Duration::ZERO));
        alarm.set(Some(deadline)).unwrap();
        assert!(comes(&alarm, Duration::from_secs(10)));
        assert!(clock::now() >= deadline);
        assert!(comes(&alarm, Duration::ZERO));
    }

    #[test]
    fn what_is_over_comes_at_once_and_nothing_never() {
        let alarm = Alarm::new().unwrap();
        alarm.set(Some(clock::now() - Duration::from_secs(1))).unwrap();
        assert!(comes(&alarm, Duration::from_secs(10)));
        alarm.set(None).unwrap();
        assert!(!comes(&alarm, Duration::ZERO));
        alarm.set(Some(clock::now() + Duration::from_secs(u64::from(u32::MAX)))).unwrap();
        assert!(!comes(&alarm, Duration::ZERO));
    }

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
