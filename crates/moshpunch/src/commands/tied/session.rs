//! A session (setsid(2)) without a terminal, and its leader, who ends with the program and leaves nothing behind.
//!
//! Without a terminal of its own, a session's processes cannot open /dev/tty, and the kernel gives them no other's keys.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitOptions, getpgid, kill_process_group, setsid, waitpgid};
use system::process::{Other, TextFile, adopt_orphans};

use crate::connect::child::{Running, tied};
use crate::exit_code;
use crate::family::{children, descendants};
use crate::signals::Signals;

/// ssh and what it starts need none but for a busy machine.
const TIME_TO_END: Duration = Duration::from_secs(2);

/// Runs the program in a session of its own. Whatever it started has ended when this returns, but for what has left it to
/// stay (an agent, a master connection): of SIGTERM, or of SIGKILL together with the leader.
pub(super) fn lead(program: &OsString, words: &[OsString], configuration: Option<&str>) -> Result<ExitCode> {
    let session = setsid().context("a session of its own")?;
    // Who loses its parent becomes the leader's child, who then knows when all have ended.
    adopt_orphans()?;
    let mut leader = Leader { told: Signals::of_the_end()?, children: Signals::of(&[Signal::CHILD])? };
    // ssh closes what it inherits, and opens this by its path.
    let file = configuration.map(TextFile::new).transpose()?;
    let mut command = tied(program);
    command.args(file.iter().flat_map(named)).args(words);
    let mut program = Running::new(command.spawn().with_context(|| program.display().to_string())?)?;
    let status = leader.waits_for(&mut program)?;
    leader.ends(session)?;
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

    /// SIGTERM does nothing to the leader but tell it once more.
    fn ends(&mut self, session: Pid) -> Result<()> {
        let elsewhere = of_other_groups(session);
        let end = |signal| {
            for process in &elsewhere {
                let _has_ended = process.signal(signal);
            }
            kill_process_group(session, signal)
        };
        end(Signal::TERM)?;
        let deadline = clock::now() + TIME_TO_END;
        while has_children(session) || !elsewhere.iter().all(Other::has_ended) {
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
fn of_other_groups(session: Pid) -> Vec<Other> {
    let is_in_group = |pid: &Pid| getpgid(Some(*pid)) == Ok(session);
    let found = children(session).into_iter().filter(is_in_group).flat_map(descendants);
    let found = found.filter(|pid| !is_in_group(pid));
    found.filter_map(|pid| Other::of(pid).ok()).collect()
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
