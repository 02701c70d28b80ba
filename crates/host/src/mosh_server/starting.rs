//! Starts mosh-server, or what stands in its place. The session begins at its connect line, whatever that does then; who has
//! told the line still waits until mosh-server has detached.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use net::clock;
use rustix::process::{Pid, getpid, set_child_subreaper};
use rustix::stdio;
use wire::channel;

use super::complaint::Complaint;
use super::connect_line::ConnectLine;
use super::owner::{self, Owner};
use super::process::ProcessIdentity;
use super::reaper::Reaper;
use super::streams::{Streams, Turn, Written};
use super::unbuffered::{pass_on_errors, write_unbuffered};

/// Set by our own client, which wants the offer. Nothing that a session starts may take it for its own.
pub const OFFER_VARIABLE: &str = "MOSHPUNCH_OFFER";

/// mosh-server forks at once, even on a busy machine. What takes longer does not detach, or in another way.
const DETACHING_MAXIMUM: Duration = Duration::from_secs(5);

/// The kernel tells of children that end, but of no other process.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub(crate) enum Outcome {
    /// Without a connect line.
    Ended(Ended),
    Started(Started),
}

/// What it printed has been passed on, but for the complaint about its locale.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(super) complaint: Complaint,
    pub(super) reaper: Reaper,
}

impl Ended {
    pub(crate) fn pass_on(self) -> io::Result<ExitStatus> {
        pass_on_errors(&self.complaint.errors);
        write_unbuffered(stdio::stdout(), &self.complaint.output)?;
        Ok(self.status)
    }
}

/// A mosh-server that has printed its connect line.
pub(crate) struct Started {
    /// Not passed on yet.
    pub(crate) line: ConnectLine,
    pub(crate) detaching: Detaching,
}

/// Until it has detached, the end of this process, which may end the terminal, would end mosh-server too.
pub(crate) struct Detaching {
    port: NonZeroU16,
    starting: Starting,
}

pub(crate) struct Detached {
    pub(crate) process: Result<ProcessIdentity>,
    pub(crate) behind: Behind,
    pub(crate) reaper: Reaper,
}

/// What stood behind the connect line.
pub(crate) struct Behind {
    output: Vec<u8>,
    errors: Vec<u8>,
}

impl Behind {
    pub(crate) fn pass_on(&self) -> io::Result<()> {
        write_unbuffered(stdio::stdout(), &self.output)?;
        pass_on_errors(&self.errors);
        Ok(())
    }
}

/// Children of children, whose parents have ended, are ours until mosh-server is known, so that it can be told from others. What it
/// leaves later is not left to us.
struct Adopting;

impl Adopting {
    fn begin() -> Self {
        let _without = set_child_subreaper(Some(getpid()));
        Self
    }
}

impl Drop for Adopting {
    fn drop(&mut self) {
        let _as_before = set_child_subreaper(None);
    }
}

pub(super) struct Starting {
    child: Pid,
    status: Option<ExitStatus>,
    streams: Streams,
    reaper: Reaper,
    _adopting: Adopting,
}

impl Starting {
    pub(super) fn new(program: &Path, arguments: &[OsString], verbose: bool, reaper: Reaper) -> Result<Self> {
        let adopting = Adopting::begin();
        let (streams, Written { output, errors }) = Streams::open(verbose)?;
        let mut command = Command::new(program);
        command.args(arguments).env_remove(OFFER_VARIABLE).env_remove(channel::VARIABLE).stdout(output);
        if let Some(errors) = errors {
            command.stderr(errors);
        }
        let child = command.spawn().map_err(|error| explain(error, program))?;
        let child = Pid::from_child(&child);
        Ok(Self { child, status: None, streams, reaper, _adopting: adopting })
    }

    /// Passes on what it prints, up to the connect line.
    pub(super) fn run(mut self) -> Result<Outcome> {
        loop {
            // Before the reading: what it printed before it ended is there.
            self.reap();
            match self.streams.read_to_connect_line()? {
                Turn::ConnectLine(line) => return self.started(line),
                Turn::Text => continue,
                Turn::Nothing => {}
            }
            // What a program leaves in the background, and is content with, may be mosh-server.
            match self.status {
                Some(status) if !status.success() || !self.streams.is_open() => return self.end(status),
                _ => self.streams.wait(&self.reaper, None)?,
            }
        }
    }

    fn end(mut self, status: ExitStatus) -> Result<Outcome> {
        if let Some(line) = self.streams.finish()? {
            return self.started(line);
        }
        let Self { streams, reaper, .. } = self;
        Ok(Outcome::Ended(Ended { status, complaint: streams.complaint, reaper }))
    }

    fn reap(&mut self) {
        let ended = self.reaper.reap();
        self.status =
            self.status.or(ended.iter().find(|(pid, _)| *pid == self.child).map(|(_, status)| *status));
    }

    fn started(mut self, line: ConnectLine) -> Result<Outcome> {
        self.streams.pass_on_complaint()?;
        let detaching = Detaching { port: line.port, starting: self };
        Ok(Outcome::Started(Started { line, detaching }))
    }
}

impl Detaching {
    /// Waits for the process that stays, which is none of those `beside` it.
    pub(crate) fn wait(self, beside: &[Pid]) -> Result<Detached> {
        let Self { port, mut starting } = self;
        let owner = starting.wait_for_owner(port, beside)?;
        starting.streams.read_behind();
        let owner = owner.with_context(|| format!("no process of yours has mosh-server's port {port}"));
        let process = owner.and_then(|owner| ProcessIdentity::of(owner.pid));
        let Starting { streams, reaper, .. } = starting;
        let behind = Behind { output: streams.output_behind, errors: streams.errors_behind };
        Ok(Detached { process, behind, reaper })
    }
}

impl Starting {
    fn wait_for_owner(&mut self, port: NonZeroU16, beside: &[Pid]) -> Result<Option<Owner>> {
        let deadline = clock::now() + DETACHING_MAXIMUM;
        loop {
            let child_has_ended = self.status.is_some();
            let owner = owner::of(port, beside);
            if owner.map_or(child_has_ended, |owner| owner.has_detached) || clock::now() >= deadline {
                return Ok(owner);
            }
            self.streams.wait(&self.reaper, Some(clock::now() + LOOK_AGAIN))?;
            self.streams.read_behind();
            self.reap();
        }
    }
}

fn explain(error: io::Error, program: &Path) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "{} is not installed here, or not in PATH; install mosh on this host (Debian: apt install mosh)",
            program.display()
        ),
        _ => anyhow!("{}: {error}", program.display()),
    }
}
