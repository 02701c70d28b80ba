//! Starts mosh-server and finds the process that it leaves behind.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio, id};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, getpid, set_child_subreaper};
use serde::{Deserialize, Serialize};

use crate::arguments::OFFER_VARIABLE;

/// A process that is not ours to wait for. Its start time tells it from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessIdentity {
    pub(crate) pid: i32,
    /// In clock ticks since boot (proc_pid_stat(5), field 22).
    pub(crate) started: u64,
}

/// What mosh-server printed and did.
pub(crate) struct Outcome {
    pub(crate) output: String,
    pub(crate) errors: Vec<u8>,
    pub(crate) status: ExitStatus,
    pub(crate) started: Option<Started>,
}

/// A mosh-server that is up.
pub(crate) struct Started {
    pub(crate) port: NonZeroU16,
    pub(crate) process: Result<ProcessIdentity>,
}

/// Starts it and waits until it has detached, as ssh would.
///
/// Its stderr is held back, since the mosh client shows what comes before the connect line. With `verbose` the
/// detached server goes on writing there, so it gets ours.
pub(crate) fn start(program: &Path, arguments: &[OsString], verbose: bool) -> Result<Outcome> {
    // The detached server becomes our child until we end, and so can be told from any other.
    let adopting = set_child_subreaper(Some(getpid()));
    let before = children().unwrap_or_default();
    let mut child = Command::new(program)
        .args(arguments)
        .env_remove(OFFER_VARIABLE)
        .stdout(Stdio::piped())
        .stderr(if verbose { Stdio::inherit() } else { Stdio::piped() })
        .spawn()
        .map_err(|error| explain(error, program))?;
    let output = read_until_connect_line(&mut child)?;
    let status = child.wait().context("mosh-server")?;
    let mut errors = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_end(&mut errors).context("mosh-server's messages")?;
    }
    let started = port_in(&output).map(|port| Started {
        port,
        process: adopting.context("adopting mosh-server").and_then(|()| detached_since(&before)),
    });
    Ok(Outcome { output, errors, status, started })
}

/// The port of the connect line, and the line with another one in its place.
pub(crate) fn with_port(output: &str, port: NonZeroU16) -> String {
    let lines = output.split_inclusive('\n').map(|line| match connect_line(line) {
        Some((_, rest)) => format!("MOSH CONNECT {port} {rest}"),
        None => line.to_owned(),
    });
    lines.collect()
}

fn port_in(output: &str) -> Option<NonZeroU16> {
    output.lines().find_map(|line| connect_line(line)?.0.parse().ok())
}

fn connect_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("MOSH CONNECT ")?.split_once(' ')
}

fn explain(error: std::io::Error, program: &Path) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "{} is not installed here, or not in PATH; install mosh on this host (Debian: apt install mosh)",
            program.display()
        ),
        _ => anyhow!("{}: {error}", program.display()),
    }
}

/// The detached server of a verbose start keeps stdout open, so the end of it cannot be waited for.
fn read_until_connect_line(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.take().context("stdout is piped")?;
    let mut reader = BufReader::new(stdout);
    let mut output = Vec::new();
    loop {
        let start = output.len();
        let length = reader.read_until(b'\n', &mut output).context("mosh-server's output")?;
        if length == 0 || output[start..].starts_with(b"MOSH CONNECT ") {
            return Ok(String::from_utf8_lossy(&output).into_owned());
        }
    }
}

fn detached_since(before: &[i32]) -> Result<ProcessIdentity> {
    let new: Vec<_> = children()?.into_iter().filter(|pid| !before.contains(pid)).collect();
    match new[..] {
        [pid] => ProcessIdentity::of(pid),
        [] => bail!("mosh-server is gone already"),
        _ => bail!("mosh-server left more than one process"),
    }
}

fn children() -> Result<Vec<i32>> {
    let path = format!("/proc/self/task/{}/children", id());
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    text.split_whitespace().map(|pid| pid.parse().context(path.clone())).collect()
}

impl ProcessIdentity {
    fn of(pid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
        // The second field is a name in parentheses that may hold anything; field 22 is the 20th after it.
        let (_, fields) = stat.rsplit_once(") ").with_context(|| path.clone())?;
        let started = fields.split(' ').nth(19).and_then(|field| field.parse().ok());
        Ok(Self { pid, started: started.with_context(|| path)? })
    }

    pub(crate) fn pid(self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\r\nMOSH CONNECT 60001 key/key+key\n";

    #[test]
    fn the_port_is_replaced_and_nothing_else() {
        let port = NonZeroU16::new(60017).unwrap();
        assert_eq!(port_in(OUTPUT).map(NonZeroU16::get), Some(60001));
        assert_eq!(with_port(OUTPUT, port), "\r\nMOSH CONNECT 60017 key/key+key\n");
    }

    #[test]
    fn output_without_a_connect_line_has_no_port() {
        assert_eq!(port_in("Usage: mosh-server new\nMOSH CONNECT 0 key\n"), None);
    }

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let own = ProcessIdentity::of(i32::try_from(id()).unwrap()).unwrap();
        assert!(own.is_alive());
        assert!(!ProcessIdentity { started: own.started + 1, ..own }.is_alive());
    }
}
