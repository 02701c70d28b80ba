//! Processes that are not ours to wait for.

use std::fs;

use anyhow::{Context, Result};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// Its start time tells a process from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ProcessIdentity {
    pub(crate) pid: i32,
    /// In clock ticks since boot (proc_pid_stat(5), field 22).
    pub(crate) started: u64,
}

impl ProcessIdentity {
    pub(crate) fn of(pid: i32) -> Result<Self> {
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Cut to 15 bytes; may hold anything.
    pub(crate) name: String,
    /// Perhaps nobody waits for it, so that it stays as a zombie.
    pub(crate) is_dead: bool,
    /// By a signal, or by who traces it.
    pub(crate) is_stopped: bool,
    pub(crate) parent: i32,
    /// The device number; 0: it has none.
    pub(crate) terminal: u32,
    /// The process group that has the terminal.
    pub(crate) foreground: i32,
    /// It runs what its parent ran.
    pub(super) is_fork: bool,
    pub(crate) started: u64,
}

impl Stat {
    pub(crate) fn of(pid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read(&path).with_context(|| path.clone())?;
        Self::parse(&String::from_utf8_lossy(&text)).context(path)
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is a name in parentheses that may hold anything.
        let (beginning, fields) = text.rsplit_once(") ")?;
        let (_, name) = beginning.split_once('(')?;
        let fields: Vec<_> = fields.split(' ').collect();
        Some(Self {
            name: name.to_owned(),
            is_dead: ["Z", "X", "x"].contains(fields.first()?),
            is_stopped: ["T", "t"].contains(fields.first()?),
            parent: fields.get(1)?.parse().ok()?,
            terminal: fields.get(4)?.parse().ok()?,
            foreground: fields.get(5)?.parse().ok()?,
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
        let fields = "S 7 1 1 34823 9 4194624 0 0 0 0 0 0 0 0 20 0 1 0 5001 0";
        let stat = Stat {
            name: "a) Z 1 (b".into(),
            is_dead: false,
            is_stopped: false,
            parent: 7,
            terminal: 34_823,
            foreground: 9,
            is_fork: true,
            started: 5001,
        };
        assert_eq!(Stat::parse(&format!("9 (a) Z 1 (b) {fields}")), Some(stat));
        assert_eq!(Stat::parse("9 (cut) S 7"), None);
    }
}
