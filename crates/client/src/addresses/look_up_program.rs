//! `moshpunch --look-up HOST [SSH …]`: where ssh would connect to, for a caller that cannot wait for a name server.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::addresses::look_up::CONTROL_PATH;
use crate::addresses::name_services;
use crate::children::child::tied;

/// `ssh -G` prints some 8 KiB. What prints more is no OpenSSH.
const CONFIGURATION_BYTES_MAXIMUM: u64 = 256 * 1024;

/// Prints the addresses of `host`, one a line; `ssh` is the program with its options, to ask for the host's real name.
///
/// # Errors
///
/// The name has no address, or nobody reads any more.
pub(crate) fn run(host: &str, ssh: &[OsString]) -> Result<ExitCode> {
    let configuration = configuration(ssh, host).unwrap_or_default();
    let mut stdout = io::stdout();
    // First: a name may take its time.
    if let Some(control_path) = configuration.lines().find(|line| line.starts_with(CONTROL_PATH)) {
        writeln!(stdout, "{control_path}")?;
    }
    let name = hostname(&configuration).unwrap_or_else(|| bare(host));
    // The port only serves to ask.
    for address in name_services::addresses(&name, 22).with_context(|| name.clone())? {
        // With the scope of a link-local one, as a number.
        writeln!(stdout, "{address}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What ssh would do: `ssh -G`, ssh(1).
fn configuration(ssh: &[OsString], host: &str) -> Option<String> {
    let (program, options) = ssh.split_first()?;
    let mut child = tied(program)
        .args(options)
        .args(["-G", "--", host])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut printed = Vec::new();
    child.stdout.take()?.take(CONFIGURATION_BYTES_MAXIMUM).read_to_end(&mut printed).ok()?;
    // By now it has nobody to print to; a program that goes on all the same ends with this one.
    Some(String::from_utf8_lossy(&printed).into_owned())
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
