//! Programs that run beside the session.

use std::ffi::OsStr;
use std::process::{Child, Command, ExitStatus, id};

use anyhow::Result;
use programs::own;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitIdOptions, waitid};
use system::process::Handle;

use crate::children::asked;
use crate::children::attendance::Event;

/// ssh and a look-up end at once when they are told to. One that does not is no longer asked.
const LEAVING_MAXIMUM: usize = 4;

/// ssh(1), gpg-agent(1).
const PLACES_TO_ASK: [&str; 4] = ["DISPLAY", "WAYLAND_DISPLAY", "GPG_TTY", "SSH_TTY"];

/// A command that is told to end when this process does, however it ends.
pub(crate) fn tied(program: impl AsRef<OsStr>) -> Command {
    itself("--tied", program.as_ref())
}

/// As [`keyed`], and it stops and goes on when this process does.
pub(crate) fn attended(program: impl AsRef<OsStr>) -> Command {
    itself("--attend", program.as_ref())
}

/// As [`tied`], with what [`crate::children::handover`] gives.
pub(crate) fn keyed(program: impl AsRef<OsStr>) -> Command {
    let mut command = own::command(own::path());
    command.args(["--tied", "--keyed"]).arg(id().to_string()).arg(program);
    command
}

fn itself(how: &str, program: &OsStr) -> Command {
    let mut command = own::command(own::path());
    command.arg(how).arg(id().to_string()).arg(program);
    command
}

/// The look-up of a name, as [`secluded`].
pub(crate) fn looking_up(host: &str) -> Command {
    let mut command = itself("--look-up", host.as_ref());
    ask_nobody(&mut command);
    command
}

/// As [`tied`], where nobody is to be asked anything, neither by the command nor by what it starts: in a session without the
/// user's terminal, and without what would tell of another place to ask. All of it ends together. An ssh may get a text in
/// place of the user's configuration, which it may include.
pub(crate) fn secluded(configuration: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let mut command = own::command(own::path());
    let how = configuration.map_or("--secluded".to_owned(), |text| format!("--secluded={text}"));
    command.args(["--tied", &how]).arg(id().to_string()).arg(program);
    ask_nobody(&mut command);
    command
}

fn ask_nobody(command: &mut Command) {
    for name in PLACES_TO_ASK {
        command.env_remove(name);
    }
    asked::instead_of_the_user(command);
}

/// A program that has been started. Dropped, it is told to end.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    handle: Handle,
}

impl Running {
    pub(crate) fn new(child: Child) -> Result<Self> {
        let handle = Handle::of(Pid::from_child(&child))?;
        Ok(Self { child, handle })
    }

    /// Nobody gets it in place of one that was waited for.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Err(error) = self.handle.signal(signal) {
            tracing::debug!(%error, "not signalled");
        }
    }

    /// One that has been stopped hears of its end once it goes on.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Each once, and of several only what holds.
    pub(crate) fn stopped_or_continued(&self) -> Option<Event> {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOHANG;
        let status = waitid(self.handle.wait_id(), options).ok().flatten()?;
        Some(if status.continued() { Event::Continued } else { Event::Stopped })
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// It does not harm one that has ended.
    pub(crate) fn kill(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }

    /// Can be read from once it has ended.
    pub(crate) fn end(&self) -> PollFd<'_> {
        PollFd::new(&self.handle, PollFlags::IN)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.terminate();
        }
    }
}

/// Programs that have been told to end. Who does not wait for them keeps them as zombies.
#[derive(Debug, Default)]
pub(crate) struct Leaving(Vec<Running>);

impl Leaving {
    pub(crate) fn add(&mut self, program: Running) {
        program.terminate();
        if self.0.len() == LEAVING_MAXIMUM {
            self.0.remove(0).kill();
        }
        self.0.push(program);
    }

    /// Waits for those that have ended.
    pub(crate) fn reap(&mut self) {
        self.0.retain_mut(|program| program.ended().is_none());
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.0.iter().map(Running::end)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Stdio;

    use net::wait::wait_for;

    use super::*;

    fn running(script: &str) -> Running {
        let mut shell = Command::new("sh");
        let mut child =
            shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = child.stdout.take().unwrap();
        ready.read_exact(&mut [0]).unwrap();
        Running::new(child).unwrap()
    }

    fn is_there(pid: u32) -> bool {
        std::path::Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn what_was_told_to_end_is_waited_for() {
        let mut leaving = Leaving::default();
        let program = running("echo; read end");
        let pid = program.child.id();
        leaving.add(program);
        wait_for(&mut leaving.descriptors().collect::<Vec<_>>(), None).unwrap();
        assert!(is_there(pid), "a zombie");
        leaving.reap();
        assert!(!is_there(pid) && leaving.0.is_empty());
    }

    #[test]
    fn of_too_many_that_do_not_listen_the_oldest_is_killed() {
        let mut leaving = Leaving::default();
        let deaf: Vec<_> = (0..=LEAVING_MAXIMUM).map(|_| running("trap '' TERM; echo; read end")).collect();
        let oldest = deaf[0].child.id();
        deaf.into_iter().for_each(|program| leaving.add(program));
        leaving.reap();
        assert!(!is_there(oldest));
        assert_eq!(leaving.0.len(), LEAVING_MAXIMUM);
        leaving.0.iter_mut().for_each(Running::kill);
    }
}
