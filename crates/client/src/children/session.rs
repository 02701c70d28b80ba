//! A session (setsid(2)) without a terminal, and its leader, who ends with the program or the look-up that it is for, and leaves
//! nothing behind.
//!
//! Without a terminal of its own, a session's processes cannot open /dev/tty, and the kernel gives them no other's keys.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use programs::exit_code;
use programs::family::{children, descendants};
use programs::pipe::Pipe;
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
    let mut session = Session::begin()?;
    // ssh closes what it inherits, and opens this by its path.
    let file = configuration.map(TextFile::new).transpose()?;
    let mut command = tied(program);
    command.args(file.iter().flat_map(named)).args(words);
    let child = session.start(&mut command).with_context(|| program.display().to_string())?;
    // It is told to end with all others, who are found by it.
    let mut program = Running::new(child)?;
    let status = session.waits_for(&mut program)?;
    session.end()?;
    Ok(status.map_or(ExitCode::FAILURE, exit_code::of))
}

fn named(file: &TextFile) -> [OsString; 2] {
    ["-F".into(), file.path().into()]
}

/// What this process leads.
#[derive(Debug)]
pub(crate) struct Session {
    told: Signals,
    /// Once it is.
    is_to_end: bool,
    /// A child has ended.
    children: Signals,
    /// Of the programs that were started in it.
    groups: Vec<Pid>,
}

impl Session {
    pub(crate) fn begin() -> Result<Self> {
        setsid().context("a session of its own")?;
        // Who loses its parent becomes the leader's child, where the system allows it: then the leader finds it.
        adopt_orphans()?;
        let (told, children) = (Signals::of_the_end()?, Signals::of(&[Signal::CHILD])?);
        Ok(Self { told, is_to_end: false, children, groups: Vec::new() })
    }

    /// In a group of its own.
    fn start(&mut self, command: &mut Command) -> io::Result<Child> {
        let child = command.process_group(0).spawn()?;
        self.groups.push(Pid::from_child(&child));
        Ok(child)
    }

    fn is_to_end(&mut self) -> bool {
        self.is_to_end |= self.told.have_come();
        self.is_to_end
    }

    /// How the program ended, unless the session was told to end first.
    fn waits_for(&mut self, program: &mut Running) -> Result<Option<ExitStatus>> {
        loop {
            let status = program.ended();
            if status.is_some() || self.is_to_end() {
                return Ok(status);
            }
            wait(&mut [program.end(), PollFd::new(&self.told, PollFlags::IN)], None)?;
        }
    }

    /// What a program prints, or as much of it, until the session is told to end. Nobody waits for the end of the program.
    pub(crate) fn output(&mut self, command: &mut Command, bytes_maximum: usize) -> Result<Vec<u8>> {
        let mut child =
            self.start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let mut output = Pipe::new(child.stdout.take())?;
        let mut printed = Vec::new();
        while printed.len() < bytes_maximum && !self.is_to_end() {
            let Some(more) = output.descriptor() else { break };
            wait(&mut [more, PollFd::new(&self.told, PollFlags::IN)], None)?;
            printed.extend(output.read());
        }
        printed.truncate(bytes_maximum);
        Ok(printed)
    }

    /// What comes of work that blocks, unless the session was told to end first.
    pub(crate) fn awaits<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let (end, others) = UnixStream::pair()?;
        let thread = thread::Builder::new().spawn(move || {
            let _told_by_its_end = others;
            work()
        })?;
        while !self.is_to_end() {
            let mut descriptors = [PollFd::new(&end, PollFlags::IN), PollFd::new(&self.told, PollFlags::IN)];
            wait(&mut descriptors, None)?;
            if !descriptors[0].revents().is_empty() {
                return Ok(thread.join().ok());
            }
        }
        Ok(None)
    }

    /// The groups of the programs, and what they have to do with.
    pub(crate) fn end(mut self) -> Result<()> {
        let elsewhere = of_other_groups(&self.groups);
        let tell = |signal| {
            for process in &elsewhere {
                let _has_ended = process.signal(signal);
            }
            for group in &self.groups {
                let _has_ended = kill_process_group(*group, signal);
            }
        };
        tell(Signal::TERM);
        let deadline = clock::now() + TIME_TO_END;
        while self.groups.iter().any(|group| has_members(*group)) || !elsewhere.iter().all(Other::has_ended) {
            let now = clock::now();
            if now >= deadline {
                tell(Signal::KILL);
            }
            wait(&mut [PollFd::new(&self.children, PollFlags::IN)], Some(now + BETWEEN_LOOKS))?;
            self.children.have_come();
        }
        Ok(())
    }
}

/// What the groups have started in others, and still have to do with: nothing that was left by whoever started it.
fn of_other_groups(groups: &[Pid]) -> Vec<Other> {
    let is_of_them = |pid: &Pid| getpgid(Some(*pid)).is_ok_and(|group| groups.contains(&group));
    let found = children(getpid()).into_iter().filter(is_of_them).flat_map(descendants);
    let found = found.filter(|pid| !is_of_them(pid));
    found.filter_map(|pid| Other::of(pid).ok()).collect()
}

/// Waits for those that have ended.
fn has_members(group: Pid) -> bool {
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
    test_kill_process_group(group) != Err(Errno::SRCH)
}
