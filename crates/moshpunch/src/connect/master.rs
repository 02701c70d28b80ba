//! Looks for a connection of ssh's that others may share (ssh_config(5), `ControlPath`).

use std::fs::metadata;
use std::os::unix::fs::FileTypeExt;
use std::process::{ChildStdout, Stdio};

use anyhow::{Context, Result};
use rustix::event::PollFd;

use super::child::{Pipe, Running, secluded};
use crate::configuration::ConnectConfiguration;

/// ssh tells of its whole configuration, which is a tenth of this.
const ANSWER_BYTES_MAXIMUM: usize = 64 * 1024;

/// ssh is asked what the path would be.
#[derive(Debug)]
pub(crate) struct MasterSearch {
    program: Running,
    output: Pipe<ChildStdout>,
    answer: Vec<u8>,
}

impl MasterSearch {
    pub(crate) fn start(configuration: &ConnectConfiguration) -> Result<Self> {
        let (program, options) = configuration.ssh.split_first().context("a program is required")?;
        let mut child = secluded(program)
            .args(options)
            .args(["-G", "--", &configuration.host])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("asking for the master connection")?;
        let output = Pipe::new(child.stdout.take())?;
        Ok(Self { program: Running::new(child)?, output, answer: Vec::new() })
    }

    /// Once it has ended, the path of a master that is there, if any.
    pub(crate) fn finished(&mut self) -> Option<Option<String>> {
        let ended = self.program.ended().is_some();
        loop {
            let read = self.output.read();
            if read.is_empty() || self.answer.len() > ANSWER_BYTES_MAXIMUM {
                break;
            }
            self.answer.extend(read);
        }
        ended.then(|| path(&String::from_utf8_lossy(&self.answer)).filter(|path| is_socket(path)))
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.output.descriptor().into_iter().chain([self.program.end()])
    }
}

fn path(configuration: &str) -> Option<String> {
    let path = configuration.lines().find_map(|line| line.strip_prefix("controlpath "))?;
    path.starts_with('/').then(|| path.to_owned())
}

fn is_socket(path: &str) -> bool {
    metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_taken_from_what_ssh_says() {
        let configuration = "controlmaster auto\ncontrolpath /home/alice/.ssh/a master\ncontrolpersist no\n";
        assert_eq!(path(configuration).as_deref(), Some("/home/alice/.ssh/a master"));
        assert_eq!(path("controlmaster false\ncontrolpath none\n"), None);
        assert_eq!(path("controlpersist no\n"), None);
    }

    #[test]
    fn what_is_no_socket_is_no_master() {
        assert!(!is_socket("/") && !is_socket("/nowhere"));
    }
}
