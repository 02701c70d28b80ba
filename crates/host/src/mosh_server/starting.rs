//! Starts mosh-server, or what stands in its place. The session begins at its connect line, whatever that does then.

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
use super::streams::{Streams, Turn, Written, pass_on_errors, write_unbuffered};

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
}

impl Ended {
    pub(crate) fn pass_on(self) -> io::Result<ExitStatus> {
        pass_on_errors(&self.complaint.errors);
        write_unbuffered(stdio::stdout(), &self.complaint.output)?;
        Ok(self.status)
    }
}

/// A mosh-server that is up.
pub(crate) struct Started {
    pub(crate) process: Result<ProcessIdentity>,
    pub(crate) printed: Printed,
}

/// What has not been passed on yet: the connect line, and what stood behind it.
pub(crate) struct Printed {
    line: ConnectLine,
    output: Vec<u8>,
    errors: Vec<u8>,
}

impl Printed {
    /// mosh-server's own.
    pub(crate) fn port(&self) -> NonZeroU16 {
        self.line.port
    }

    /// With the port to tell the user.
    pub(crate) fn pass_on(self, port: NonZeroU16) -> io::Result<()> {
        write_unbuffered(stdio::stdout(), &self.line.with_port(port))?;
        write_unbuffered(stdio::stdout(), &self.output)?;
        pass_on_errors(&self.errors);
        Ok(())
    }
}

/// Passes on what it prints, and waits until mosh-server has detached.
pub(crate) fn start(
    program: &Path,
    arguments: &[OsString],
    verbose: bool,
    reaper: &mut Reaper,
) -> Result<Outcome> {
    // Until mosh-server is known, so that it can be told from others, and what it leaves is not left to us.
    let adopting = set_child_subreaper(Some(getpid()));
    let outcome = Starting::new(program, arguments, verbose, reaper)?.run();
    if adopting.is_ok() {
        let _as_before = set_child_subreaper(None);
    }
    outcome
}

struct Starting<'a> {
    child: Pid,
    status: Option<ExitStatus>,
    streams: Streams,
    reaper: &'a mut Reaper,
}

impl<'a> Starting<'a> {
    fn new(program: &Path, arguments: &[OsString], verbose: bool, reaper: &'a mut Reaper) -> Result<Self> {
        let (streams, Written { output, errors }) = Streams::open(verbose)?;
        let mut command = Command::new(program);
        command.args(arguments).env_remove(OFFER_VARIABLE).env_remove(channel::VARIABLE).stdout(output);
        if let Some(errors) = errors {
            command.stderr(errors);
        }
        let child = command.spawn().map_err(|error| explain(error, program))?;
        Ok(Self { child: Pid::from_child(&child), status: None, streams, reaper })
    }

    fn run(mut self) -> Result<Outcome> {
        loop {
            // Before the reading: what it printed before it ended is there.
            self.reap();
            match self.streams.read_to_connect_line()? {
                Turn::ConnectLine(line) => return self.detach(line),
                Turn::Text => continue,
                Turn::Nothing => {}
            }
            // What a program leaves in the background, and is content with, may be mosh-server.
            match self.status {
                Some(status) if !status.success() || !self.streams.is_open() => return self.end(status),
                _ => self.streams.wait(self.reaper, None)?,
            }
        }
    }

    fn end(mut self, status: ExitStatus) -> Result<Outcome> {
        if let Some(line) = self.streams.finish()? {
            return self.detach(line);
        }
        Ok(Outcome::Ended(Ended { status, complaint: self.streams.complaint }))
    }

    fn reap(&mut self) {
        let ended = self.reaper.reap();
        self.status =
            self.status.or(ended.iter().find(|(pid, _)| *pid == self.child).map(|(_, status)| *status));
    }

    fn detach(mut self, line: ConnectLine) -> Result<Outcome> {
        self.streams.pass_on_complaint()?;
        let owner = self.wait_for_owner(line.port)?;
        self.streams.read_behind();
        let owner =
            owner.with_context(|| format!("no process of yours has mosh-server's port {}", line.port));
        let process = owner.and_then(|owner| ProcessIdentity::of(owner.pid));
        let Streams { output_behind, errors_behind, .. } = self.streams;
        let printed = Printed { line, output: output_behind, errors: errors_behind };
        Ok(Outcome::Started(Started { process, printed }))
    }

    /// The process that stays. Until it is there, the end of this one, which may end the terminal, would end both.
    fn wait_for_owner(&mut self, port: NonZeroU16) -> Result<Option<Owner>> {
        let deadline = clock::now() + DETACHING_MAXIMUM;
        loop {
            let child_has_ended = self.status.is_some();
            let owner = owner::of(port);
            if owner.map_or(child_has_ended, |owner| owner.has_detached) || clock::now() >= deadline {
                return Ok(owner);
            }
            self.streams.wait(self.reaper, Some(clock::now() + LOOK_AGAIN))?;
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
