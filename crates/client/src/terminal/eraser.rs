//! Erases the progress line when this process is killed before it could: a process of ours that waits for the end of a
//! pipe. It is in a process group of its own, and so outlives what a shell kills as one job.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use programs::own;

use crate::children::child::Running;
use crate::terminal::screen;

/// `moshpunch --eraser`.
pub const WORD: &str = "--eraser";

#[derive(Debug)]
pub(crate) struct Eraser(Running);

impl Eraser {
    pub(crate) fn start() -> Result<Self> {
        let mut command = own::command(own::path());
        command.arg(WORD).process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Self(Running::new(command.spawn().context("starting the eraser")?)?))
    }

    /// There is nothing to erase any more.
    pub(crate) fn dismiss(mut self) {
        self.0.kill();
    }
}

/// The eraser itself. The other end of the pipe closes with the process that holds it, by whatever cause.
/// # Errors
///
/// The pipe cannot be read.
pub fn run() -> Result<ExitCode> {
    io::stdin().read_to_end(&mut Vec::new())?;
    screen::erase_last_row();
    Ok(ExitCode::SUCCESS)
}
