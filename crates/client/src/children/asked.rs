//! What OpenSSH starts in place of a dialog (ssh(1), `SSH_ASKPASS`) where nobody is to be asked. Whoever has nobody to ask
//! sends an empty password instead, and again: the host would count three that are wrong.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;
use programs::own;
use rustix::process::{Signal, getppid, kill_process};

/// A program is called with the question alone, so that its environment says what it is.
const VARIABLE: &str = "MOSHPUNCH_ASKS_NOBODY";

/// A key that stays locked is left aside by itself, and another may serve.
const LOCKED_KEY: &str = "Enter passphrase for ";

/// What the command and all that it starts would ask comes here.
pub(crate) fn instead_of_the_user(command: &mut Command) {
    if let Some(program) = own::place() {
        command.env("SSH_ASKPASS", program).env("SSH_ASKPASS_REQUIRE", "force").env(VARIABLE, "1");
    }
}

/// The question, if this process was started for it.
pub fn question(words: &[OsString]) -> Option<&OsString> {
    words.get(1).filter(|_| words.len() == 2 && env::var_os(VARIABLE).is_some())
}

/// Answers nothing, and as a rule ends who asked: it must not go on.
///
/// # Errors
///
/// Who asked has ended, or belongs to another user.
pub fn run(question: &OsString) -> Result<ExitCode> {
    report::note(format_args!("nobody is there to be asked: {}", question.display()));
    if !question.to_string_lossy().starts_with(LOCKED_KEY)
        && let Some(asking) = getppid()
    {
        kill_process(asking, Signal::TERM)?;
    }
    Ok(ExitCode::FAILURE)
}
