//! One ssh to the host, read as it speaks.

use std::ffi::OsString;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use rustix::event::PollFd;
use zeroize::Zeroizing;

use super::child::{Pipe, READ_BYTES, Running, tied};
use super::transcript::{Line, Transcript};

/// A pipe holds 64 KiB (pipe(7)); what others still write into it does not count.
const READS_OF_ALL: usize = 64 * 1024 / READ_BYTES;

/// ssh needs none but for a busy machine.
const TIME_TO_END: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Login {
    program: Running,
    output: Pipe<ChildStdout>,
    messages: Pipe<ChildStderr>,
    transcript: Transcript,
}

impl Login {
    /// Its messages come to us: what it says after the session has begun must not disturb mosh's screen. What it asks,
    /// it asks on the terminal itself.
    pub(crate) fn start(words: &[OsString], prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let (program, options) = words.split_first().context("a login needs a program")?;
        let mut command = tied(program);
        command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command);
        Self::of(command.spawn().with_context(|| format!("starting {}", program.display()))?)
    }

    fn of(mut child: Child) -> Result<Self> {
        let output = Pipe::new(child.stdout.take())?;
        let messages = Pipe::new(child.stderr.take())?;
        let program = Running::new(child)?;
        Ok(Self { program, output, messages, transcript: Transcript::default() })
    }

    /// Until it is dropped.
    #[cfg(test)]
    pub(crate) fn that_goes_on() -> Self {
        let cat =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self::of(cat.expect("cat is everywhere")).expect("a child has a number")
    }

    /// What has come, or if ssh has `ended`, everything, with what has no end of a line.
    pub(crate) fn lines(&mut self, ended: bool) -> Vec<Line> {
        let reads = if ended { READS_OF_ALL } else { 1 };
        let mut lines = Vec::new();
        for _ in 0..reads {
            lines.extend(self.transcript.read(&Zeroizing::new(self.output.read())));
        }
        lines.extend(ended.then(|| self.transcript.rest()).flatten());
        lines
    }

    pub(crate) fn messages(&mut self, ended: bool) -> Vec<u8> {
        let reads = if ended { READS_OF_ALL } else { 1 };
        (0..reads).flat_map(|_| self.messages.read()).collect()
    }

    /// How it ended, once it has. What it left behind is to be read first.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.program.ended()
    }

    /// Ends it now. ssh may be asking for a password, and then has to put the terminal in order first.
    pub(crate) fn end(mut self) {
        self.program.terminate();
        let deadline = clock::now() + TIME_TO_END;
        while self.ended().is_none() && clock::now() < deadline {
            if wait(&mut [self.program.end()], Some(deadline)).is_err() {
                break;
            }
        }
        self.program.kill();
    }

    pub(crate) fn into_program(self) -> Running {
        self.program
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let pipes = self.output.descriptor().into_iter().chain(self.messages.descriptor());
        pipes.chain([self.program.end()])
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn login(script: &str) -> Login {
        let mut child = Command::new("sh");
        let child =
            child.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Login::of(child.spawn().unwrap()).unwrap()
    }

    fn wait_for_end(login: &Login) {
        net::wait::wait_for(&mut [login.program.end()], None).unwrap();
    }

    #[test]
    fn a_line_whose_end_has_not_come_is_kept() {
        let mut login = login("printf 'Welcome\\nMOSHPUNCH ABSENT'");
        wait_for_end(&login);
        assert_eq!(login.lines(false), [Line::Text(b"Welcome".to_vec())]);
        assert_eq!(login.lines(true), [Line::Absent]);
    }

    #[test]
    fn everything_is_read_of_a_login_that_has_ended() {
        let mut login = login("head -c 60000 /dev/zero | tr '\\0' x; echo; echo MOSHPUNCH ABSENT");
        wait_for_end(&login);
        assert_eq!(login.lines(true).last(), Some(&Line::Absent));
    }
}
