//! `moshpunch sessions … HOST`: what the host's own moshpunch says of its sessions, by ssh.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use programs::exit_code;

use crate::configuration::Configuration;
use crate::login::pasted::installation;
use crate::login::remote_command;
use crate::login::ssh;

/// As a shell says that there is no such program.
const NOT_FOUND: i32 = 127;

/// Runs `moshpunch sessions` with these words on the host, on the user's terminal if it `asks`, and ends as that.
///
/// # Errors
///
/// ssh cannot be started.
pub fn run(configuration: &Configuration, words: &[OsString], asks: bool) -> Result<ExitCode> {
    let command = remote_command::sessions(configuration.server.as_deref(), words);
    let words = ssh::errand(configuration, &command, asks);
    let (program, arguments) = words.split_first().context("--ssh is empty")?;
    let status = Command::new(program).args(arguments).status();
    let status = status.with_context(|| program.to_string_lossy().into_owned())?;
    if status.code() == Some(NOT_FOUND) {
        let host = &configuration.host;
        report::note(format!(
            "no moshpunch runs on {host} to tell of its sessions; {} puts it there, and ps(1) shows mosh-server",
            installation(configuration)
        ));
    }
    Ok(exit_code::of(status))
}
