//! A program in the user's terminal, and its parent, who ends with it and, told to end, leaves nothing of what it started: a
//! script that is not told how it ends leaves its ssh behind, and that the session on the host.
//!
//! The program has not to wait until its parent has begun: a shell starts it, tied to itself, and becomes its parent beside it
//! (`moshpunch --accompany PARENT PROGRAM`).

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, id};

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use programs::exit_code;
use programs::family::descendants;
use programs::own;
use programs::secrets;
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitOptions, getpid, waitpid};
use system::process::{Handle, Other};

use crate::children::session::{BETWEEN_LOOKS, TIME_TO_END};
use crate::children::tied::tie_to;

/// A command that is told to end when this process does, with all that it starts, in the user's terminal.
pub(crate) fn tied_whole(program: impl AsRef<OsStr>) -> Result<Command> {
    let ours = own::place().context("where this program is")?;
    let mut command = Command::new("sh");
    command.args(["-c", &script(&id().to_string())]).arg(ours).arg(program.as_ref());
    Ok(command)
}

/// How a program has ended that nobody heard of: as ssh does of its own accord (ssh(1)), which says why.
const UNKNOWN: u8 = 255;

/// For sh, with the place of this program and what is to be started. A terminal that hangs up ends neither the program nor what
/// that starts: the session says its goodbye by it. Of the terminal's other signals the program hears, and its parent does not:
/// whether it ends of them is its own affair. Its input is named, or a shell gives it none. Told to end in the millisecond before its
/// parent has begun, it ends alone, by its tie: what a script may have started by then is left.
#[must_use]
pub fn script(parent: &str) -> String {
    format!(
        "trap '' HUP INT QUIT; exec 9<&0; \"$0\" --tied --foreground $$ \"$@\" <&9 9<&- & \
         exec \"$0\" --accompany {parent} $! 9<&-"
    )
}

pub(crate) fn accompany(parent: i32, program: i32) -> Result<ExitCode> {
    secrets::keep();
    // Before anybody tells: whoever ended of it would leave what the program has started.
    let mut told = Signals::of(&[Signal::TERM])?;
    let has_parent = tie_to(parent)?;
    let mut program = match Program::of(program) {
        Ok(program) => program,
        Err(error) => {
            // It had ended before this process began, and some shells wait for whatever ends.
            tracing::debug!(%error, "how it ended is not known");
            return Ok(UNKNOWN.into());
        }
    };
    loop {
        if let Some(status) = program.ended() {
            return Ok(exit_code::end_as(status));
        }
        if !has_parent || told.have_come() {
            end_all(&mut program)?;
            return Ok(ExitCode::FAILURE);
        }
        wait(&mut [PollFd::new(&program.handle, PollFlags::IN), PollFd::new(&told, PollFlags::IN)], None)?;
    }
}

/// A child that this process has from the shell that it was.
#[derive(Debug)]
struct Program {
    pid: Pid,
    handle: Handle,
    status: Option<ExitStatus>,
}

impl Program {
    fn of(pid: i32) -> Result<Self> {
        let pid = Pid::from_raw(pid).context("the program has no such number")?;
        Ok(Self { pid, handle: Handle::of(pid).context("the program")?, status: None })
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            let waited = waitpid(Some(self.pid), WaitOptions::NOHANG).ok().flatten();
            self.status = waited.map(|(_, status)| ExitStatus::from_raw(status.as_raw()));
        }
        self.status
    }
}

/// By SIGTERM, or by SIGKILL.
fn end_all(program: &mut Program) -> Result<()> {
    let mut started = Started::default();
    started.stop();
    started.tell(Signal::TERM);
    // What is stopped hears it only then.
    started.tell(Signal::CONT);
    let deadline = clock::now() + TIME_TO_END;
    while program.ended().is_none() || !started.have_ended() {
        let now = clock::now();
        if now >= deadline {
            started.stop();
            started.tell(Signal::KILL);
        }
        wait(&mut [], Some(now + BETWEEN_LOOKS))?;
    }
    Ok(())
}

/// All that the program has started, as far as it is known. Who leaves its parent to stay (an agent, a master connection) is
/// not among them.
#[derive(Debug, Default)]
struct Started(Vec<(Pid, Other)>);

impl Started {
    /// So that none starts another unseen: what was begun while we looked is looked for once more.
    fn stop(&mut self) {
        self.0.retain(|(_, process)| !process.has_ended());
        self.tell(Signal::STOP);
        loop {
            let is_new = |pid: &Pid| !self.0.iter().any(|(known, _)| known == pid);
            let new = descendants(getpid()).into_iter().filter(is_new);
            let new: Vec<_> = new.filter_map(|pid| Some((pid, Other::of(pid).ok()?))).collect();
            if new.is_empty() {
                return;
            }
            new.iter().for_each(|(_, process)| tell(process, Signal::STOP));
            self.0.extend(new);
        }
    }

    fn tell(&self, signal: Signal) {
        self.0.iter().for_each(|(_, process)| tell(process, signal));
    }

    fn have_ended(&self) -> bool {
        self.0.iter().all(|(_, process)| process.has_ended())
    }
}

fn tell(process: &Other, signal: Signal) {
    let _has_ended = process.signal(signal);
}
