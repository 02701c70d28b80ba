//! The addresses of the host's name, looked up by a process of its own, because that may take its time.

use std::ffi::OsString;
use std::net::IpAddr;
use std::process::{ChildStdout, Stdio};

use anyhow::{Context, Result};
use rustix::event::PollFd;

use super::child::{Pipe, Running, tied};
use crate::own_process;

/// A name with more addresses than this is no single host's.
const ADDRESSES_MAXIMUM: usize = 16;

#[derive(Debug)]
pub(crate) struct LookUp {
    program: Running,
    output: Pipe<ChildStdout>,
    text: String,
}

impl LookUp {
    pub(crate) fn start(ssh: &[OsString], host: &str) -> Result<Self> {
        let mut child = tied(own_process::PATH)
            .args(["--look-up", host])
            .args(ssh)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("looking the name up")?;
        let output = Pipe::new(child.stdout.take())?;
        Ok(Self { program: Running::new(child)?, output, text: String::new() })
    }

    /// All addresses, once it has ended: none, if the name has none here.
    pub(crate) fn finished(&mut self) -> Option<Vec<IpAddr>> {
        let ended = self.program.ended().is_some();
        self.text.push_str(&String::from_utf8_lossy(&self.output.read()));
        ended.then(|| addresses(&self.text))
    }

    pub(crate) fn into_program(self) -> Running {
        self.program
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        [self.program.end()].into_iter()
    }
}

fn addresses(text: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for address in
        text.lines().filter_map(|line| line.parse::<IpAddr>().ok()).map(|address| address.to_canonical())
    {
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
        assert_eq!(addresses("20.0.0.1\n::ffff:20.0.0.1\nnonsense\nfd00::1\n").len(), 2);
        let many: String = (0..200).map(|number| format!("10.0.0.{number}\n")).collect();
        assert_eq!((of(&many), of("")), (ADDRESSES_MAXIMUM, 0));
    }
}
