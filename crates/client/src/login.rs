//! One ssh to the host, read as it speaks.
//!
//! [`ssh`] is called with a [`remote_command`], in the [`surroundings`] of mosh's script; what comes
//! is understood by [`transcript`], and bounded by [`flood`]; what the host is to read is its [`input`]. [`diagnosis`] says
//! why it led to nothing, with calls that can be [`pasted`], and [`fallback`] whether mosh's own line may help.

pub(crate) mod diagnosis;
pub(crate) mod fallback;
pub(crate) mod flood;
pub(crate) mod input;
pub(crate) mod locale_variables;
pub(crate) mod pasted;
pub(crate) mod remote_command;
pub(crate) mod ssh;
pub(crate) mod surroundings;
pub(crate) mod transcript;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::mem::take;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use programs::pipe::{Pipe, READ_BYTES};
use programs::pseudo_terminal::PseudoTerminal;
use rustix::event::PollFd;
use system::OneWay;
use zeroize::Zeroizing;

use crate::children::child::{Running, secluded};
use crate::children::whole::tied_whole;
use crate::login::input::Input;
use crate::login::transcript::{Line, Transcript};

/// A pipe holds 64 KiB (pipe(7)); what others still write into it does not count.
const READS_OF_ALL: usize = 64 * 1024 / READ_BYTES;

/// ssh needs none but for a busy machine.
const TIME_TO_END: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Login {
    program: Running,
    status: Option<ExitStatus>,
    output: Pipe<File>,
    has_spoken: bool,
    is_given_up: bool,
    messages: Pipe<File>,
    input: Option<Input>,
    is_answered: bool,
    transcript: Transcript,
}

/// What a login that the user waits for finds in place of terminals, beside /dev/tty, where it asks.
#[derive(Debug, Default)]
pub(crate) struct Terminals {
    keyboard: Option<PseudoTerminal>,
    /// ssh tells some things only where it can be read at once, such as that a key waits for a touch.
    screen: Option<PseudoTerminal>,
    /// Without a keyboard, too, something is to be read.
    is_written_to: bool,
}

impl Terminals {
    /// Where the host gives us a terminal, the program here wants one as well.
    pub(crate) fn open(host_has_terminal: bool, is_written_to: bool) -> Self {
        let keyboard = host_has_terminal.then(PseudoTerminal::open).and_then(if_there_is_any);
        let screen = io::stderr().is_terminal().then(PseudoTerminal::open_raw).and_then(if_there_is_any);
        Self { keyboard, screen, is_written_to }
    }
}

fn written_to() -> Result<(Option<Input>, Stdio)> {
    let (ours, theirs) = OneWay::new().context("what ssh reads")?;
    Ok((Some(Input::Pipe(ours)), theirs.into()))
}

/// A machine without any leaves the program what it has with mosh.
fn if_there_is_any(terminal: Result<PseudoTerminal>) -> Option<PseudoTerminal> {
    terminal.inspect_err(|error| tracing::debug!(%error, "no terminal of our own")).ok()
}

impl Login {
    /// Its messages come to us: what it says after the session has begun must not disturb mosh's screen. What it asks,
    /// it asks on the terminal itself.
    pub(crate) fn attended(
        words: &[OsString],
        terminals: Terminals,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let (program, options) = words.split_first().context("a login needs a program")?;
        let mut command = tied_whole(program)?;
        command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (input, stdin) = match terminals.keyboard {
            Some(keyboard) => (Some(Input::Terminal(keyboard.ours)), keyboard.theirs.into()),
            None if terminals.is_written_to => written_to()?,
            None => (None, Stdio::null()),
        };
        command.stdin(stdin);
        let screen = terminals.screen.map(|screen| {
            command.stderr(screen.theirs);
            screen.ours
        });
        prepare(&mut command);
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { input, ..Self::of(child, screen)? })
    }

    /// One that nobody waits for: without a terminal, and ended with all that it starts. Who asks by stdin gets no answer,
    /// which at the end of a file would be an empty one.
    pub(crate) fn unattended(words: &[OsString], configuration: Option<&str>) -> Result<Self> {
        let (program, options) = words.split_first().context("a login needs a program")?;
        let mut command = secluded(configuration, program);
        let (input, stdin) = written_to()?;
        command.args(options).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { input, ..Self::of(child, None)? })
    }

    fn of(mut child: Child, screen: Option<File>) -> Result<Self> {
        let output = Pipe::new(child.stdout.take().map(|pipe| OwnedFd::from(pipe).into()))?;
        let messages = screen.or(child.stderr.take().map(|pipe| OwnedFd::from(pipe).into()));
        Ok(Self {
            program: Running::new(child)?,
            status: None,
            output,
            has_spoken: false,
            is_given_up: false,
            messages: Pipe::new(messages)?,
            input: None,
            is_answered: false,
            transcript: Transcript::default(),
        })
    }

    /// Until it is dropped; it says what is written to it.
    #[cfg(test)]
    pub(crate) fn that_goes_on() -> Self {
        Self::by_shell("exec cat")
    }

    #[cfg(test)]
    pub(crate) fn by_shell(script: &str) -> Self {
        let (input, stdin) = written_to().expect("sockets");
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let login = Self::of(shell.spawn().expect("sh is everywhere"), None).expect("a child has a number");
        Self { input, ..login }
    }

    /// What has come, or if ssh has `ended`, everything, with what has no end of a line.
    pub(crate) fn lines(&mut self, ended: bool) -> Vec<Line> {
        let reads = if ended { READS_OF_ALL } else { 1 };
        let mut lines = Vec::new();
        for _ in 0..reads {
            let output = Zeroizing::new(self.output.read());
            self.has_spoken |= !output.is_empty();
            lines.extend(self.transcript.read(&output));
        }
        lines.extend(ended.then(|| self.transcript.rest()).flatten());
        lines
    }

    pub(crate) fn messages(&mut self, ended: bool) -> Vec<u8> {
        let reads = if ended { READS_OF_ALL } else { 1 };
        (0..reads).flat_map(|_| self.messages.read()).collect()
    }

    /// The line that the host has begun and not ended, as far as it may be shown.
    pub(crate) fn unfinished(&self) -> &[u8] {
        self.transcript.unfinished()
    }

    /// Whether the host has printed anything since the last call.
    pub(crate) fn has_spoken(&mut self) -> bool {
        take(&mut self.has_spoken)
    }

    /// Whether the host reads what is typed.
    pub(crate) fn has_keyboard(&self) -> bool {
        matches!(self.input, Some(Input::Terminal(_)))
    }

    /// What the host does not read in time is lost, as in any terminal.
    pub(crate) fn type_keys(&mut self, keys: &[u8]) {
        if keys.is_empty() {
            return;
        }
        self.is_answered = true;
        if let Some(error) = self.input.as_mut().and_then(|input| input.write(keys).err()) {
            tracing::debug!(%error, "not typed");
        }
    }

    /// For whoever writes from now on, and closes it.
    pub(crate) fn take_input(&mut self) -> Option<Input> {
        self.input.take()
    }

    /// How it ended, once it has. What it left behind is to be read first. One that has ended in good order may have left
    /// the connection to a process of its own (ssh_config(5), ForkAfterAuthentication).
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.program.ended();
        }
        self.status.filter(|_| !self.is_left_to_others())
    }

    pub(crate) fn is_left_to_others(&self) -> bool {
        self.status.is_some_and(|status| status.success()) && !self.output.is_closed() && !self.is_given_up
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Nobody waits for what its output may still bring.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// Who else has its output will say nothing.
    pub(crate) fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// Ends it now. ssh may be asking for a password, and then has to put the terminal in order first.
    pub(crate) fn end(mut self) {
        self.program.terminate();
        let deadline = clock::now() + TIME_TO_END;
        while self.program.ended().is_none() && clock::now() < deadline {
            if wait(&mut [self.program.end()], Some(deadline)).is_err() {
                break;
            }
        }
        self.program.kill();
    }

    /// Whoever reads its stdin until it has ended is not told that it is at an end, which may be taken for an answer.
    pub(crate) fn program(&mut self) -> &mut Running {
        &mut self.program
    }

    /// Can be read from once it has ended.
    pub(crate) fn end_of_program(&self) -> PollFd<'_> {
        self.program.end()
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let pipes = self.output.descriptor().into_iter().chain(self.messages.descriptor());
        pipes.chain(self.status.is_none().then(|| self.program.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_for_end(login: &Login) {
        net::wait::wait_for(&mut [login.program.end()], None).unwrap();
    }

    #[test]
    fn a_line_whose_end_has_not_come_is_kept() {
        let mut login = Login::by_shell("printf 'Welcome\\nMOSHPUNCH ABSENT'");
        wait_for_end(&login);
        assert_eq!(login.lines(false), [Line::Text(b"Welcome".to_vec())]);
        assert_eq!(login.lines(true), [Line::Absent]);
    }

    #[test]
    fn the_end_of_the_program_is_not_that_of_its_output() {
        let mut login = Login::by_shell("exec 3<&0; cat <&3 & exit 0");
        wait_for_end(&login);
        assert_eq!((login.ended(), login.is_left_to_others()), (None, true));
        login.give_up();
        assert!(login.ended().is_some_and(|status| status.success()));
    }

    #[test]
    fn everything_is_read_of_a_login_that_has_ended() {
        let mut login = Login::by_shell("head -c 60000 /dev/zero | tr '\\0' x; echo; echo MOSHPUNCH ABSENT");
        wait_for_end(&login);
        assert_eq!(login.lines(true).last(), Some(&Line::Absent));
    }
}
