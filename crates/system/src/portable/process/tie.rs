//! Whoever is to end with its parent has a child of its own, which looks once a second whether the parent is still there.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, setsid, test_kill_process};

use super::itself;
use crate::wait::wait_for;

/// `moshpunch --watch PARENT TIED`.
const WORD: &str = "--watch";

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// From now on this process, also as another program, gets SIGTERM within a second when its parent ends. If the parent has
/// ended already, so does it.
///
/// # Errors
///
/// The program cannot be started once more.
pub fn tie_to_parent(parent: Pid) -> io::Result<()> {
    let numbers = [parent, getpid()].map(|pid| pid.to_string());
    let mut watch = Command::new(itself());
    watch.arg(WORD).args(numbers);
    // Whoever waits until nobody writes any more is not to wait for this.
    watch.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
}

/// What this module starts this program for, if it was: its words are then not the user's.
#[must_use]
pub fn errand(words: &[OsString]) -> Option<ExitCode> {
    let [_, word, parent, tied] = words else { return None };
    let pid = |word: &OsString| word.to_str()?.parse().ok().and_then(Pid::from_raw);
    let (parent, tied) = (pid(parent)?, pid(tied)?);
    (word == WORD).then(|| watch(parent, tied).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

fn watch(parent: Pid, tied: Pid) -> io::Result<()> {
    // What stops or ends those in the terminal leaves this alone.
    setsid()?;
    while getppid() == Some(tied) {
        if test_kill_process(parent) == Err(Errno::SRCH) {
            kill_process(tied, Signal::TERM)?;
            return Ok(());
        }
        wait_for(&mut [], Some(INTERVAL))?;
    }
    Ok(())
}
