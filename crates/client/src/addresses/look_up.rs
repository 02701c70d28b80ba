//! What this machine knows of the host by its name: its addresses, and the connection that ssh shares. Told by a process
//! of its own, because that may take its time.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{ChildStdout, Stdio};

use anyhow::{Context, Result};
use programs::pipe::Pipe;
use rustix::event::PollFd;

use crate::children::child::{Running, looking_up};
use crate::configuration::Configuration;
use crate::login::ssh;

/// How `ssh -G` begins the line about it.
pub(crate) const CONTROL_PATH: &str = "controlpath ";

/// A name with more addresses than this is no single host's.
const ADDRESSES_MAXIMUM: usize = 16;

#[derive(Debug)]
pub(crate) struct LookUp {
    program: Running,
    has_ended: bool,
    output: Pipe<ChildStdout>,
    text: String,
}

impl LookUp {
    /// Only OpenSSH is asked what it makes of the name; any other program would log in.
    pub(crate) fn start(configuration: &Configuration) -> Result<Self> {
        let asked = Some(&configuration.ssh).filter(|_| ssh::speaks_openssh(configuration));
        Self::of(&configuration.host, asked.map_or(&[], Vec::as_slice))
    }

    /// Of one that has nothing to do with ssh.
    pub(crate) fn of_name(name: &str) -> Result<Self> {
        Self::of(name, &[])
    }

    fn of(host: &str, ssh: &[OsString]) -> Result<Self> {
        let mut child = looking_up(host)
            .args(ssh)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("looking the name up")?;
        let output = Pipe::new(child.stdout.take())?;
        Ok(Self { program: Running::new(child)?, has_ended: false, output, text: String::new() })
    }

    /// Takes what it has told, and waits for it once it has ended.
    pub(crate) fn keep_up(&mut self) {
        self.has_ended |= self.program.ended().is_some();
        self.text.push_str(&String::from_utf8_lossy(&self.output.read()));
    }

    /// All addresses with their scopes, once it has ended: none, if the name has none here. Their port is ssh's.
    pub(crate) fn finished(&mut self) -> Option<Vec<SocketAddr>> {
        self.keep_up();
        self.has_ended.then(|| addresses(&self.text))
    }

    /// The connection that others may share (ssh_config(5), `ControlPath`), if one is there, and known of by now.
    pub(crate) fn master(&mut self) -> Option<String> {
        self.keep_up();
        master(&self.text).filter(|path| is_socket(path))
    }

    pub(crate) fn into_program(self) -> Running {
        self.program
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.output.descriptor().into_iter().chain((!self.has_ended).then(|| self.program.end()))
    }
}

fn master(text: &str) -> Option<String> {
    // A line that has no end yet may be cut.
    let mut whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let path = whole.find_map(|line| line.strip_prefix(CONTROL_PATH))?;
    (path != "none").then(|| path.to_owned())
}

fn is_socket(path: &str) -> bool {
    Path::new(path).metadata().is_ok_and(|found| found.file_type().is_socket())
}

fn addresses(text: &str) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for address in text.lines().filter_map(|line| line.parse().ok()) {
        if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAXIMUM {
            addresses.push(address);
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_taken_from_what_ssh_says() {
        let said = "controlpath /home/alice/.ssh/a master\n20.0.0.1:22\n";
        assert_eq!(master(said), Some("/home/alice/.ssh/a master".into()));
        for other in ["controlpath none\n", "controlpath /home/alice/.ssh/a mas", "20.0.0.1:22\n"] {
            assert_eq!(master(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_socket_is_no_master() {
        assert!(!is_socket("/") && !is_socket("/nowhere"));
    }

    #[test]
    fn each_address_counts_once_and_not_too_many_do() {
        let of = |text: &str| addresses(text).len();
        let told = addresses("20.0.0.1:22\n20.0.0.1:22\nnonsense\n[fe80::2%3]:22\n");
        assert_eq!(told, ["20.0.0.1:22", "[fe80::2%3]:22"].map(|address| address.parse().unwrap()));
        let many: String = (0..200).map(|number| format!("10.0.0.{number}:22\n")).collect();
        assert_eq!((of(&many), of("")), (ADDRESSES_MAXIMUM, 0));
    }
}
