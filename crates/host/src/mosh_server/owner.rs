//! Which process is mosh-server: the one that has the UDP port of the connect line, whatever else was started with it.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU16;
use std::path::Path;

use net::bound;
use programs::family::descendants;
use rustix::process::{Pid, getpid};

use super::process::Stat;

/// A process that has the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pid: i32,
    parent: i32,
    started: u64,
    /// What prints the connect line was called as a program, and forks; the child that stays forgets its stdout unless it
    /// is verbose.
    pub(super) has_detached: bool,
}

/// `None`: no process of this user has it, or none that is known to. Children that are `beside` mosh-server are not asked.
pub(super) fn of(port: NonZeroU16, beside: &[Pid]) -> Option<Owner> {
    let sockets = bound::sockets(port, rustix::process::getuid().as_raw());
    let names: Vec<_> = sockets.iter().map(|socket| format!("socket:[{}]", socket.inode)).collect();
    let among = |pids: Vec<Pid>| {
        let holders: Vec<_> = pids.into_iter().filter_map(|pid| Owner::look(pid, &names)).collect();
        eldest(&holders)
    };
    // What was started beside it may have taken it out of our family.
    let seen = among(family(beside)).or_else(|| among(processes()));
    seen.or_else(|| if sockets.is_empty() { None } else { hidden(beside) })
}

/// Nobody may look into a process whose program its user may run, but not read. One that we have started is taken to be it.
fn hidden(beside: &[Pid]) -> Option<Owner> {
    let holders: Vec<_> = family(beside).into_iter().filter_map(Owner::hidden).collect();
    eldest(&holders)
}

fn family(beside: &[Pid]) -> Vec<Pid> {
    let mut family = descendants(getpid());
    family.retain(|pid| !beside.contains(pid));
    family
}

impl Owner {
    fn look(pid: Pid, sockets: &[String]) -> Option<Self> {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.find(|target| sockets.iter().any(|socket| target == Path::new(socket)))?;
        let stdout = fs::read_link(format!("/proc/{pid}/fd/1"));
        let Stat { parent, is_fork, started, .. } = Stat::of(pid.as_raw_nonzero().get()).ok()?;
        let has_detached = is_fork || stdout.is_ok_and(|target| target == Path::new("/dev/null"));
        Some(Self { pid: pid.as_raw_nonzero().get(), parent, started, has_detached })
    }

    fn hidden(pid: Pid) -> Option<Self> {
        let obstacle = fs::read_dir(format!("/proc/{pid}/fd")).err()?;
        let stat = Stat::of(pid.as_raw_nonzero().get()).ok()?;
        let Stat { parent, is_fork, started, is_dead, .. } = stat;
        let is_hidden = obstacle.kind() == ErrorKind::PermissionDenied && !is_dead;
        is_hidden.then_some(Self { pid: pid.as_raw_nonzero().get(), parent, started, has_detached: is_fork })
    }
}

/// A process that forks shares its socket with its child for a moment. Of sessions on several addresses with that port
/// the last one is meant.
fn eldest(holders: &[Owner]) -> Option<Owner> {
    let is_child = |owner: &Owner| holders.iter().any(|other| other.pid == owner.parent);
    holders.iter().filter(|owner| !is_child(owner)).max_by_key(|owner| (owner.started, owner.pid)).copied()
}

fn processes() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.iter().filter_map(|name| name.parse().ok().and_then(Pid::from_raw)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::process::{Command, Stdio, id};

    use super::*;

    fn holder(pid: i32, parent: i32) -> Owner {
        Owner { pid, parent, started: 5, has_detached: false }
    }

    #[test]
    fn of_a_process_and_its_child_the_process_is_meant() {
        assert_eq!(eldest(&[]), None);
        assert_eq!(eldest(&[holder(8, 7), holder(7, 1)]), Some(holder(7, 1)));
        assert_eq!(eldest(&[holder(7, 1), holder(8, 7), holder(9, 8)]), Some(holder(7, 1)));
    }

    #[test]
    fn of_two_sessions_the_later_one_is_meant() {
        let later = Owner { started: 6, ..holder(3, 1) };
        assert_eq!(eldest(&[holder(9, 1), later]), Some(later));
        assert_eq!(eldest(&[holder(9, 1), holder(10, 1)]), Some(holder(10, 1)));
    }

    #[test]
    fn what_is_our_own_beside_it_is_not_of_its_family() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(family(&[]).contains(&pid));
        assert!(!family(&[pid]).contains(&pid));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn the_owner_of_a_port_is_found_outside_our_family_too() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = NonZeroU16::new(socket.local_addr().unwrap().port()).unwrap();
        let owner = of(port, &[]).unwrap();
        assert_eq!(owner.pid.unsigned_abs(), id());
        drop(socket);
        assert_eq!(of(port, &[]), None);
    }
}
