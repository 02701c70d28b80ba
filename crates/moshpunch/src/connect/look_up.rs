//! The addresses of the host's name, looked up by a process of its own, because that may take its time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};

use anyhow::{Context, Result};
use rustix::event::PollFd;

use super::child::{Pipe, Running, secluded};
use super::ssh;
use crate::configuration::ConnectConfiguration;
use crate::own_process;

/// How `ssh -G` begins the line about it.
pub(crate) const CONTROL_PATH: &str = "controlpath ";

/// A name with more addresses than this is no single host's.
const ADDRESSES_MAXIMUM: usize = 16;

#[derive(Debug)]
pub(crate) struct LookUp {
    program: Running,
    output: Pipe<ChildStdout>,
    text: String,
}

impl LookUp {
    /// Only OpenSSH is asked what it makes of the name; any other program would log in.
    pub(crate) fn start(configuration: &ConnectConfiguration) -> Result<Self> {
        let asked = Some(&configuration.ssh).filter(|_| ssh::speaks_openssh(configuration));
        let mut child = secluded(own_process::PATH)
            .args(["--look-up", &configuration.host])
            .args(asked.into_iter().flatten())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("looking the name up")?;
        let output = Pipe::new(child.stdout.take())?;
        Ok(Self { program: Running::new(child)?, output, text: String::new() })
    }

    /// All addresses with their scopes, once it has ended: none, if the name has none here. Their port is ssh's.
    pub(crate) fn finished(&mut self) -> Option<Vec<SocketAddr>> {
        let ended = self.program.ended().is_some();
        self.text.push_str(&String::from_utf8_lossy(&self.output.read()));
        ended.then(|| addresses(&self.text))
    }

    /// The connection that ssh would share, as far as that is known yet.
    pub(crate) fn control_path(&mut self) -> Option<PathBuf> {
        self.text.push_str(&String::from_utf8_lossy(&self.output.read()));
        self.text.lines().find_map(|line| line.strip_prefix(CONTROL_PATH)).map(PathBuf::from)
    }

    pub(crate) fn into_program(self) -> Running {
        self.program
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        [self.program.end()].into_iter()
    }
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
    fn each_address_counts_once_and_not_too_many_do() {
        let of = |text: &str| addresses(text).len();
        let told = addresses("20.0.0.1:22\n20.0.0.1:22\nnonsense\n[fe80::2%3]:22\n");
        assert_eq!(told, ["20.0.0.1:22", "[fe80::2%3]:22"].map(|address| address.parse().unwrap()));
        let many: String = (0..200).map(|number| format!("10.0.0.{number}:22\n")).collect();
        assert_eq!((of(&many), of("")), (ADDRESSES_MAXIMUM, 0));
    }
}
