//! `moshpunch --tied PARENT PROGRAM …`: becomes that program, which gets SIGTERM when the parent ends. A program that
//! runs in the user's terminal must not outlive the process that carries its datagrams. With `--secluded` it runs in a
//! session of its own, which ends as a whole. With `--keyed` it has the session's key in its environment, and nobody
//! before it. With `--foreground` it hears of the terminal's keys, which a shell keeps from what it starts beside itself.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use programs::own;
use programs::secrets;
use programs::signals::Signals;
use rustix::process::{Pid, Signal, getppid};
use rustix::stdio::dup2_stdin;
use system::process::tie_to_parent;

use crate::children::{handover, session};

/// Ctrl-C and Ctrl-\, which a shell lets those ignore that it starts beside itself.
const KEYS: [Signal; 2] = [Signal::INT, Signal::QUIT];

/// As a shell and env(1) say it.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// Which program, and with whom it ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Tied {
    /// The process that started this one.
    pub parent: i32,
    /// The program and its words.
    pub command: Vec<OsString>,
}

/// How to start such a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum How {
    #[default]
    Alone,
    /// In a session of its own, without a terminal, of which nothing is left in the end; with this text, if any, in the file
    /// which its `-F` names.
    Secluded(Option<String>),
    /// With the session's key and the terminal, which come by stdin.
    Keyed,
    /// With the terminal's keys, which a shell keeps from what it starts beside itself.
    Foreground,
}

impl How {
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "--secluded" => Some(Self::Secluded(None)),
            "--keyed" => Some(Self::Keyed),
            "--foreground" => Some(Self::Foreground),
            _ => Some(Self::Secluded(Some(word.strip_prefix("--secluded=")?.to_owned()))),
        }
    }
}

/// # Errors
///
/// The program cannot be tied, or gets nothing of what it was to be given.
pub(crate) fn run(how: &How, arguments: &Tied) -> Result<ExitCode> {
    // It may have a session's key in its environment.
    secrets::keep();
    if !tie_to(arguments.parent)? {
        return Ok(ExitCode::FAILURE);
    }
    let (program, words) = arguments.command.split_first().context("a program is required")?;
    let mut command = own::command(program);
    match how {
        How::Secluded(configuration) => return session::lead(program, words, configuration.as_deref()),
        How::Keyed => {
            let Some(given) = handover::take(io::stdin())? else { return Ok(ExitCode::FAILURE) };
            dup2_stdin(given.terminal)?;
            command.env("MOSH_KEY", &*given.key);
        }
        How::Foreground | How::Alone => {}
    }
    // What is caught does what it does by default in another program; what is ignored stays so.
    let _caught = (*how == How::Foreground).then(|| Signals::of(&KEYS)).transpose()?;
    let error = command.args(words).exec();
    report::note(format_args!("{}: {error}", program.display()));
    Ok(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN }.into())
}

/// Whether the parent is still there.
pub(crate) fn tie_to(parent: i32) -> Result<bool> {
    let parent = Pid::from_raw(parent).context("the parent has no such number")?;
    tie_to_parent(parent).context("tying to the parent")?;
    Ok(getppid() == Some(parent))
}
