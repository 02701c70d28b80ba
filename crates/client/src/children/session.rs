//! A session (setsid(2)) without a terminal, and its leader, who ends with the program and leaves nothing behind.
//!
//! Without a terminal of its own, a session's processes cannot open /dev/tty, and the kernel gives them no other's keys.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use programs::exit_code;
use programs::family::{children, descendants};
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpgid, getpid, kill_process_group, setsid, test_kill_process_group, waitpgid,
};
use system::process::{Other, TextFile, adopt_orphans};

use crate::children::child::{Running, tied};

/// ssh and what it starts need none but for a busy machine.
pub(crate) const TIME_TO_END: Duration = Duration::from_secs(2);

/// Who was not adopted ends without our being told.
pub(crate) const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Runs the program in a session of its own. Whatever it started has ended when this returns, but for what has left it to
/// stay (an agent, a master connection): of SIGTERM, or of SIGKILL.
pub(crate) fn lead(program: &OsString, words: &[OsString], configuration: Option<&str>) -> Result<ExitCode> {
    setsid().context("a session of its own")?;
    // Who loses its parent becomes the leader's child, where the system allows it: then the leader finds it.
    adopt_orphans()?;
    let mut leader = Leader { told: Signals::of_the_end()?, children: Signals::of(&[Signal::CHILD])? };
    // ssh closes what it inherits, and opens this by its path.
    let file = configuration.map(TextFile::new).transpose()?;
    let mut command = tied(program);
    command.args(file.iter().flat_map(named)).args(words).process_group(0);
    let child = command.spawn().with_context(|| program.display().to_string())?;
    let group = Pid::from_child(&child);
    let mut program = Running::new(child)?;
    let status = leader.waits_for(&mut program)?;
    leader.ends(group)?;
    Ok(status.map_or(ExitCode::FAILURE, exit_code::of))
}

fn named(file: &TextFile) -> [OsString; 2] {
    ["-F".into(), file.path().into()]
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

    /// The group of the program, and what it has to do with.
    fn ends(&mut self, group: Pid) -> Result<()> {
        let elsewhere = of_other_groups(group);
        let end = |signal| {
            for process in &elsewhere {
                let _has_ended = process.signal(signal);
            }
            let _has_ended = kill_process_group(group, signal);
        };
        end(Signal::TERM);
        let deadline = clock::now() + TIME_TO_END;
        while has_members(group) || !elsewhere.iter().all(Other::has_ended) {
            let now = clock::now();
            if now >= deadline {
                end(Signal::KILL);
            }
            wait(&mut [PollFd::new(&self.children, PollFlags::IN)], Some(now + BETWEEN_LOOKS))?;
            self.children.have_come();
        }
        Ok(())
    }
}

/// What the group has started in others, and still has to do with: nothing that was left by whoever started it.
fn of_other_groups(group: Pid) -> Vec<Other> {
    let is_in_group = |pid: &Pid| getpgid(Some(*pid)) == Ok(group);
    let found = children(getpid()).into_iter().filter(is_in_group).flat_map(descendants);
    let found = found.filter(|pid| !is_in_group(pid));
    found.filter_map(|pid| Other::of(pid).ok()).collect()
}

/// Waits for those that have ended.
fn has_members(group: Pid) -> bool {
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
    test_kill_process_group(group) != Err(Errno::SRCH)
}
