//! A program in the user's terminal, and its parent, who ends with it and, told to end, leaves nothing of what it started: a
//! script that is not told how it ends leaves its ssh behind, and that the session on the host.

use std::ffi::OsString;
use std::process::{Command, ExitCode, id};

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use programs::exit_code;
use programs::family::descendants;
use programs::own;
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, getpid};
use system::process::Other;

use super::session::{BETWEEN_LOOKS, TIME_TO_END};
use crate::children::child::Running;

/// These reach all that is in the terminal: whether the program ends of it is its own affair.
const OF_THE_TERMINAL: [Signal; 3] = [Signal::HUP, Signal::INT, Signal::QUIT];

/// A terminal that hangs up ends neither the program nor what that starts: the session says its goodbye by it.
const DEAF: &str = "trap '' HUP; exec \"$0\" \"$@\"";

pub(super) fn accompany(program: &OsString, words: &[OsString]) -> Result<ExitCode> {
    let mut told = Signals::of(&[Signal::TERM])?;
    let _of_the_terminal = Signals::of(&OF_THE_TERMINAL)?;
    let ours = own::place().context("where this program is")?;
    let mut command = Command::new("sh");
    command.args(["-c", DEAF]).arg(ours).args(["--tied", &id().to_string()]).arg(program).args(words);
    let mut program = Running::new(command.spawn().context("sh")?)?;
    loop {
        if let Some(status) = program.ended() {
            return Ok(exit_code::end_as(status));
        }
        if told.have_come() {
            end_all(&mut program)?;
            return Ok(ExitCode::FAILURE);
        }
        wait(&mut [program.end(), PollFd::new(&told, PollFlags::IN)], None)?;
    }
}

/// By SIGTERM, or by SIGKILL.
fn end_all(program: &mut Running) -> Result<()> {
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
