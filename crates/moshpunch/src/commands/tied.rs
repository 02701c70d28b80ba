//! `moshpunch --tied PARENT PROGRAM …`: becomes that program, which gets SIGTERM when the parent ends. A program that
//! runs in the user's terminal must not outlive the process that carries its datagrams.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::arguments::TiedArguments;
use crate::own_process;
use crate::report;

/// As a shell and env(1) say it.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

pub(crate) fn run(arguments: &TiedArguments) -> Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::TERM)).context("tying to the parent")?;
    if getppid() != Pid::from_raw(arguments.parent) {
        return Ok(ExitCode::FAILURE);
    }
    let (program, words) = arguments.command.split_first().context("a program is required")?;
    let error = own_process::command(program).args(words).exec();
    report::note(format_args!("{}: {error}", program.display()));
    Ok(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN }.into())
}
