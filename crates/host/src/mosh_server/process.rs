//! Processes that are not ours to wait for.

use std::fs;

use anyhow::{Context, Result};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// Its start time tells a process from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessIdentity {
    pub(crate) pid: i32,
    /// In clock ticks since boot (proc_pid_stat(5), field 22).
    pub(crate) started: u64,
}

impl ProcessIdentity {
    pub(super) fn of(pid: i32) -> Result<Self> {
        Ok(Self { pid, started: Stat::of(pid)?.started })
    }

    pub(crate) fn pid(self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    pub(crate) fn is_alive(self) -> bool {
        Stat::of(self.pid).is_ok_and(|now| !now.is_dead && now.started == self.started)
    }
}

/// `PF_FORKNOEXEC`, linux/sched.h.
const FORKED_WITHOUT_EXEC: u32 = 0x40;

/// proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Perhaps nobody waits for it, so that it stays as a zombie.
    pub(super) is_dead: bool,
    pub(super) parent: i32,
    /// It runs what its parent ran.
    pub(super) is_fork: bool,
    pub(super) started: u64,
}

impl Stat {
    pub(super) fn of(pid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        Self::parse(&text).context(path)
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is a name in parentheses that may hold anything.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        Some(Self {
            is_dead: ["Z", "X", "x"].contains(fields.first()?),
            parent: fields.get(1)?.parse().ok()?,
            is_fork: fields.get(6)?.parse::<u32>().ok()? & FORKED_WITHOUT_EXEC != 0,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio, id};

    use net::wait::wait_for;
    use rustix::event::{PollFd, PollFlags};
    use rustix::process::{PidfdFlags, pidfd_open};

    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let own = ProcessIdentity::of(i32::try_from(id()).unwrap()).unwrap();
        assert!(own.is_alive());
        assert!(!ProcessIdentity { started: own.started + 1, ..own }.is_alive());
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let identity = ProcessIdentity::of(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(identity.is_alive());
        let end = pidfd_open(identity.pid().unwrap(), PidfdFlags::empty()).unwrap();
        drop(child.stdin.take());
        wait_for(&mut [PollFd::new(&end, PollFlags::IN)], None).unwrap();
        assert!(Stat::of(identity.pid).is_ok(), "nobody has waited for it");
        assert!(!identity.is_alive());
        child.wait().unwrap();
    }

    #[test]
    fn a_name_may_hold_anything() {
        let fields = "S 7 1 1 0 -1 4194624 0 0 0 0 0 0 0 0 20 0 1 0 5001 0";
        let stat = Stat { is_dead: false, parent: 7, is_fork: true, started: 5001 };
        assert_eq!(Stat::parse(&format!("9 (a) Z 1 (b) {fields}")), Some(stat));
        assert_eq!(Stat::parse("9 (cut) S 7"), None);
    }
}
