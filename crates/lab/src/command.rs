//! A command to be run inside a host: once with a time limit, or as a daemon, or in a terminal.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::account::Account;
use crate::host::Host;
use crate::journal;
use crate::process::Process;

pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs as root, with an environment as after a fresh login, unless said otherwise.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is run"]
pub struct Command {
    host: Host,
    words: Vec<OsString>,
    user: String,
    environment: Vec<(OsString, OsString)>,
    input: Option<Vec<u8>>,
}

impl Command {
    pub(crate) fn new(host: Host, program: OsString) -> Self {
        Self { host, words: vec![program], user: "root".to_owned(), environment: Vec::new(), input: None }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.words.push(argument.as_ref().to_owned());
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.words.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// An account of the host, by name.
    pub fn as_user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// What the program reads; otherwise it reads nothing. A terminal ignores it.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Runs to the end, and the end must be a success.
    ///
    /// # Errors
    /// When the command fails or outlives its limit (it is then killed); the error shows command and output.
    pub fn run(self, within: Duration) -> Result<Output> {
        let line = self.to_string();
        let output = self.output(within)?;
        if !output.status.success() {
            bail!("{line}: {}\n{output}", output.status);
        }
        Ok(output)
    }

    /// Runs to the end, be it success or failure.
    ///
    /// # Errors
    /// When the command cannot start or outlives its limit; it is then killed and the error shows its output.
    pub fn output(self, within: Duration) -> Result<Output> {
        let line = self.to_string();
        let stdout = self.host.lab().journal.log(&format!("{line} (stdout)"))?;
        let stderr = self.host.lab().journal.log(&format!("{line} (stderr)"))?;
        let started = crate::wait::now();
        let process = self.start(File::create(&stdout)?, File::create(&stderr)?)?;
        let status = process.wait_exit(within)?;
        let took = started.elapsed();
        process.kill();
        let (stdout, stderr) = (journal::read(&stdout), journal::read(&stderr));
        match status {
            Some(status) => Ok(Output { status, stdout, stderr, took }),
            None => bail!("{line}: still running after {within:?}\n{stdout}{stderr}"),
        }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Starts in a process group of its own, so that it can be killed with its children.
    pub(crate) fn start(&self, stdout: File, stderr: File) -> Result<Arc<Process>> {
        let stdin = self.stdin()?;
        self.spawn(&self.words, |command| {
            command.process_group(0).stdin(stdin).stdout(stdout).stderr(stderr);
        })
    }

    /// Starts as the leader of a new session on the terminal `line`.
    pub(crate) fn start_on(&self, line: &File) -> Result<Arc<Process>> {
        let (stdin, stdout, stderr) = (line.try_clone()?, line.try_clone()?, line.try_clone()?);
        let own_session: Vec<OsString> = ["setsid", "--ctty"].map(OsString::from).to_vec();
        self.spawn(&[own_session, self.words.clone()].concat(), |command| {
            command.stdin(stdin).stdout(stdout).stderr(stderr);
        })
    }

    fn spawn(
        &self,
        words: &[OsString],
        attach: impl FnOnce(&mut std::process::Command) + Send,
    ) -> Result<Arc<Process>> {
        let child = self.host.enter(|| {
            let account = Account::named(&self.user)?;
            let mut command = std::process::Command::new(&words[0]);
            command.args(&words[1..]).env_clear().envs(account.environment());
            attach(&mut command);
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
            if account.uid != 0 {
                command.uid(account.uid).gid(account.gid);
            }
            command.current_dir(&account.home).spawn().with_context(|| format!("starting {self}"))
        })?;
        self.host.lab().adopt(Process::new(self.to_string(), child)?)
    }

    fn stdin(&self) -> Result<Stdio> {
        let Some(input) = &self.input else { return Ok(Stdio::null()) };
        let path = self.host.lab().journal.log(&format!("{self} (stdin)"))?;
        File::create(&path)?.write_all(input)?;
        Ok(File::open(&path)?.into())
    }
}

/// As a user would type it, with the host before it.
impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.host.name())?;
        for (position, word) in self.words.iter().enumerate() {
            let word = word.to_string_lossy();
            let shown = match position {
                0 => Path::new(&*word).file_name().map_or(word.clone(), |name| name.to_string_lossy()),
                _ => word.clone(),
            };
            if shown.contains([' ', '\n']) || shown.is_empty() {
                write!(f, " {shown:?}")?;
            } else {
                write!(f, " {shown}")?;
            }
        }
        Ok(())
    }
}

/// What a command that ran to its end left.
#[derive(Clone, Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stdout: {}\nstderr: {}", self.stdout.trim_end(), self.stderr.trim_end())
    }
}
