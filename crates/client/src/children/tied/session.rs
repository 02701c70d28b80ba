//! A session (setsid(2)) without a terminal, and its leader, who ends with the program and leaves nothing behind.
//!
//! Without a terminal of its own, a session's processes cannot open /dev/tty, and the kernel gives them no other's keys.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use net::clock;
use net::wait::{wait, wait_for};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, getpgid, getpid, kill_process_group, pidfd_open,
    pidfd_send_signal, set_child_subreaper, set_dumpable_behavior, setsid, waitpgid,
};

use crate::children::child::{Running, tied};
use programs::family::{children, descendants};
use programs::signals::Signals;
use report::exit_code;

/// ssh and what it starts need none but for a busy machine.
const TIME_TO_END: Duration = Duration::from_secs(2);

/// Runs the program in a session of its own. Whatever it started has ended when this returns, but for what has left it to
/// stay (an agent, a master connection): of SIGTERM, or of SIGKILL together with the leader.
pub(super) fn lead(program: &OsString, words: &[OsString], configuration: Option<&str>) -> Result<ExitCode> {
    let session = setsid().context("a session of its own")?;
    // Who loses its parent becomes the leader's child, who then knows when all have ended.
    set_child_subreaper(Some(getpid()))?;
    let mut leader = Leader { told: Signals::of_the_end()?, children: Signals::of(&[Signal::CHILD])? };
    let file = configuration.map(as_a_file).transpose()?;
    let mut command = tied(program);
    command.args(file.iter().flat_map(named)).args(words);
    let mut program = Running::new(command.spawn().with_context(|| program.display().to_string())?)?;
    let status = leader.waits_for(&mut program)?;
    leader.ends(session)?;
    Ok(status.map_or(ExitCode::FAILURE, exit_code::of))
}

/// Of no directory, so that nothing of it is left. ssh closes what it inherits, and opens this by the leader's own table.
fn as_a_file(text: &str) -> Result<File> {
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let mut file = File::from(memfd_create("ssh_config", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    Ok(file)
}

fn named(file: &File) -> [OsString; 2] {
    let path = format!("/proc/{}/fd/{}", getpid().as_raw_nonzero(), file.as_raw_fd());
    ["-F", &path].map(OsString::from)
}

struct Leader {
    /// The session is to end.
    told: Signals,
    /// A child has ended.
    children: Signals,
}

impl Leader {
    /// How the program ended, unless the session was told to end first.
    fn waits_for(&mut self, program: &mut Running) -> Result<Option<ExitStatus>> {
        loop {
            let status = program.ended();
            if status.is_some() || self.told.have_come() {
                return Ok(status);
            }
            wait(&mut [program.end(), PollFd::new(&self.told, PollFlags::IN)], None)?;
        }
    }

    /// SIGTERM does nothing to the leader but tell it once more.
    fn ends(&mut self, session: Pid) -> Result<()> {
        let elsewhere = of_other_groups(session);
        let end = |signal| {
            for process in &elsewhere {
                let _has_ended = pidfd_send_signal(process, signal);
            }
            kill_process_group(session, signal)
        };
        end(Signal::TERM)?;
        let deadline = clock::now() + TIME_TO_END;
        while has_children(session) || !elsewhere.iter().all(has_ended) {
            if clock::now() >= deadline {
                end(Signal::KILL)?;
            }
            wait(&mut [PollFd::new(&self.children, PollFlags::IN)], Some(deadline))?;
            self.children.have_come();
        }
        Ok(())
    }
}

/// What the session has started in others, and still has to do with: nothing that was left by whoever started it.
fn of_other_groups(session: Pid) -> Vec<OwnedFd> {
    let is_in_group = |pid: &Pid| getpgid(Some(*pid)) == Ok(session);
    let found = children(session).into_iter().filter(is_in_group).flat_map(descendants);
    let found = found.filter(|pid| !is_in_group(pid));
    found.filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect()
}

fn has_ended(process: &OwnedFd) -> bool {
    let mut end = [PollFd::new(process, PollFlags::IN)];
    wait_for(&mut end, Some(Duration::ZERO)).is_ok() && !end[0].revents().is_empty()
}

/// Waits for those that have ended.
fn has_children(session: Pid) -> bool {
    loop {
        match waitpgid(session, WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
