//! Runs nft beside the loop, one at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Pid;
use system::process::Handle;

use crate::installed;

/// It takes milliseconds; another program that changes the rules may hold it up, for longer than this if it hangs.
const PATIENCE: Duration = Duration::from_secs(3);

/// More than a listing of 65,535 mappings takes.
const OUTPUT_BYTES_MAXIMUM: u64 = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    /// Prints the rules, without the elements of sets.
    List,
    /// Loads these rules, in one transaction.
    Load(String),
    /// Loads these, which may fail.
    CleanUp(String),
}

#[derive(Default)]
pub(super) struct Nft {
    waiting: VecDeque<Job>,
    running: Option<Running>,
}

struct Running {
    job: Job,
    child: Child,
    handle: Handle,
    output: File,
    errors: File,
    deadline: Instant,
}

impl Nft {
    pub(super) fn queue(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// The next job that has ended, and what nft printed.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(Job, Result<String>)> {
        if let Some(running) = &mut self.running {
            let result = running.result(now)?;
            return self.running.take().map(|running| (running.job, result));
        }
        let job = self.waiting.pop_front()?;
        match Running::start(job.clone(), now) {
            Ok(running) => {
                self.running = Some(running);
                self.poll(now)
            }
            Err(error) => Some((job, Err(error))),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    pub(super) fn descriptor(&self) -> Option<PollFd<'_>> {
        self.running.as_ref().map(|running| PollFd::new(&running.handle, PollFlags::IN))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.deadline)
    }
}

impl Running {
    fn start(job: Job, now: Instant) -> Result<Self> {
        let (output, errors) = (memory()?, memory()?);
        let mut command = Command::new(installed::path("nft")?);
        match &job {
            Job::List => command.args(["--terse", "list", "ruleset"]).stdin(Stdio::null()),
            Job::Load(rules) | Job::CleanUp(rules) => command.args(["-f", "-"]).stdin(filled(rules)?),
        };
        let child = command
            .env_clear()
            .stdout(output.try_clone()?)
            .stderr(errors.try_clone()?)
            .spawn()
            .context("starting nft")?;
        let handle = Handle::of(Pid::from_child(&child))?;
        Ok(Self { job, child, handle, output, errors, deadline: now + PATIENCE })
    }

    /// `None`: it still runs.
    fn result(&mut self, now: Instant) -> Option<Result<String>> {
        match self.child.try_wait() {
            Ok(None) if now < self.deadline => None,
            Ok(None) => {
                let _already_gone = self.child.kill();
                let _already_reaped = self.child.wait();
                Some(Err(anyhow::anyhow!("nft did not end within {PATIENCE:?}")))
            }
            Ok(Some(status)) => Some(self.printed(status)),
            Err(error) => Some(Err(error.into())),
        }
    }

    fn printed(&mut self, status: ExitStatus) -> Result<String> {
        if !status.success() {
            let errors = text(&mut self.errors)?;
            bail!("nft: {}", errors.lines().next().unwrap_or("failed without a word"));
        }
        text(&mut self.output)
    }
}

fn memory() -> Result<File> {
    Ok(memfd_create("nft", MemfdFlags::CLOEXEC).context("memory for nft")?.into())
}

fn filled(rules: &str) -> Result<File> {
    let mut file = memory()?;
    file.write_all(rules.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

fn text(file: &mut File) -> Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAXIMUM).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
