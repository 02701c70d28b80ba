//! `moshpunch --look-up PARENT HOST [SSH …]`: where ssh would connect to, for a caller that cannot wait for a name server.
//! Nobody is asked, and all of it ends together: it leads a session of its own.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use programs::secrets;

use crate::addresses::look_up::CONTROL_PATH;
use crate::addresses::name_services;
use crate::children::child::tied;
use crate::children::session::Session;
use crate::children::tied::tie_to;

/// `ssh -G` prints some 8 KiB. What prints more is no OpenSSH.
const CONFIGURATION_BYTES_MAXIMUM: usize = 256 * 1024;

/// Prints the addresses of `host`, one a line; `ssh` is the program with its options, to ask for the host's real name.
pub(crate) fn run(parent: i32, host: &str, ssh: &[OsString]) -> Result<ExitCode> {
    // It may have a session's key in its environment.
    secrets::keep();
    if !tie_to(parent)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut session = Session::begin()?;
    let told = tell(&mut session, host, ssh);
    session.end()?;
    told.map(|()| ExitCode::SUCCESS)
}

fn tell(session: &mut Session, host: &str, ssh: &[OsString]) -> Result<()> {
    let asks = asking(ssh, host).map(|mut command| session.output(&mut command, CONFIGURATION_BYTES_MAXIMUM));
    // Without any, the name is what the user said.
    let configuration = asks.and_then(Result::ok).unwrap_or_default();
    let configuration = String::from_utf8_lossy(&configuration);
    let mut stdout = io::stdout();
    // First: a name may take its time.
    if let Some(control_path) = configuration.lines().find(|line| line.starts_with(CONTROL_PATH)) {
        writeln!(stdout, "{control_path}")?;
    }
    let name = hostname(&configuration).unwrap_or_else(|| bare(host));
    // The port only serves to ask.
    let asked = name.clone();
    let found =
        session.awaits(move || name_services::addresses(&asked, 22))?.context("nobody waits for it")?;
    for address in found.context(name)? {
        // With the scope of a link-local one, as a number.
        writeln!(stdout, "{address}")?;
    }
    Ok(())
}

/// What ssh would do: `ssh -G`, ssh(1).
fn asking(ssh: &[OsString], host: &str) -> Option<Command> {
    let (program, options) = ssh.split_first()?;
    let mut command = tied(program);
    command.args(options).args(["-G", "--", host]);
    Some(command)
}

fn hostname(configuration: &str) -> Option<String> {
    configuration.lines().find_map(|line| line.strip_prefix("hostname ")).map(str::to_owned)
}

/// Without the user, and the form of a URL that ssh takes, too.
fn bare(host: &str) -> String {
    let host = host.strip_prefix("ssh://").unwrap_or(host);
    let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
    name.trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_taken_from_what_ssh_says() {
        assert_eq!(hostname("user alice\nhostname 192.168.1.10\nport 22\n").as_deref(), Some("192.168.1.10"));
        assert_eq!(hostname("hostnames x\n"), None);
    }

    #[test]
    fn without_ssh_the_name_is_what_the_user_said() {
        for (host, expected) in [("host", "host"), ("alice@a@host", "host"), ("alice@[fd00::1]", "fd00::1")] {
            assert_eq!(bare(host), expected);
        }
    }
}
