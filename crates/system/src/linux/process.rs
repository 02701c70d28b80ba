//! Processes by pidfd_open(2), prctl(2) and procfs.

use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{MemfdFlags, fchmod, memfd_create};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitId, getpid, pidfd_open, pidfd_send_signal,
    set_child_subreaper, set_dumpable_behavior, set_parent_process_death_signal,
};

use crate::wait::wait_for;

/// A child. Its descriptor can be read from once it has ended, and from then on.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    /// # Errors
    ///
    /// The kernel gives none.
    pub fn of(child: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(child, PidfdFlags::empty())?))
    }

    /// Nobody gets it in place of one that was waited for.
    ///
    /// # Errors
    ///
    /// It has ended, or belongs to another user by now.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.0, signal)?)
    }

    #[must_use]
    pub fn wait_id(&self) -> WaitId<'_> {
        WaitId::PidFd(self.0.as_fd())
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A process that need be no child of this one.
#[derive(Debug)]
pub struct Other(OwnedFd);

impl Other {
    /// # Errors
    ///
    /// There is no such process.
    pub fn of(pid: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// # Errors
    ///
    /// It has ended, or belongs to another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.0, signal)?)
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut end = [PollFd::new(&self.0, PollFlags::IN)];
        wait_for(&mut end, Some(Duration::ZERO)).is_ok() && !end[0].revents().is_empty()
    }
}

/// What this module starts this program for, if it was: its words are then not the user's.
#[must_use]
pub fn errand(_words: &[OsString]) -> Option<ExitCode> {
    None
}

/// From now on this process, also as another program, gets SIGTERM when its parent ends. If the parent has ended already, it
/// gets none.
///
/// # Errors
///
/// The kernel refuses.
pub fn tie_to_parent(_parent: Pid) -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::TERM))?)
}

/// Memory is in no core dump, and shown to no other program of this user, until this process becomes another program.
///
/// # Errors
///
/// The kernel refuses.
pub fn keep_memory_private() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// This very file, even if another has taken its place meanwhile.
#[must_use]
pub fn itself() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

/// For what shows no arguments.
pub fn name_this_process(name: &CStr) {
    let _kept = rustix::thread::set_name(name);
}

/// Who loses its parent below this process becomes its child.
///
/// # Errors
///
/// The kernel refuses.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// proc_pid_task_children(5).
#[must_use]
pub fn children(of: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| numbers(&list)).collect()
}

fn numbers(text: &str) -> Vec<Pid> {
    text.split_whitespace().filter_map(|word| word.parse().ok().and_then(Pid::from_raw)).collect()
}

/// A text that programs of this user can read by a path, of no directory: nothing of it is left.
#[derive(Debug)]
pub struct TextFile(File);

impl TextFile {
    /// Others open it by this process's own table, which one that keeps its memory private does not show: it does from now
    /// on.
    ///
    /// # Errors
    ///
    /// The kernel gives no memory.
    pub fn new(text: &str) -> io::Result<Self> {
        set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        let mut file = File::from(memfd_create("text", MemfdFlags::CLOEXEC)?);
        fchmod(&file, 0o600.into())?;
        file.write_all(text.as_bytes())?;
        Ok(Self(file))
    }

    /// As long as this lives.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", getpid().as_raw_nonzero(), self.0.as_raw_fd()))
    }
}
