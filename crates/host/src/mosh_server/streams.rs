//! What mosh-server prints, read as it comes, and passed on until the connect line.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use anyhow::{Context, Result};
use net::wait::wait;
use programs::pipe::Pipe;
use programs::pseudo_terminal::PseudoTerminal;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::fstat;
use rustix::stdio;
use rustix::termios::isatty;
use zeroize::Zeroizing;

use super::complaint::Complaint;
use super::connect_line::{ConnectLine, Reader};
use super::reaper::Reaper;
use super::unbuffered::{pass_on_errors, write_unbuffered};

/// mosh-server's licence takes a quarter of it.
const BEHIND_BYTES_MAXIMUM: usize = 8 * 1024;

/// Our ends.
pub(super) struct Streams {
    output: Pipe<File>,
    errors: Pipe<File>,
    reader: Reader,
    pub(super) complaint: Complaint,
    /// What came behind the connect line.
    pub(super) output_behind: Vec<u8>,
    pub(super) errors_behind: Vec<u8>,
}

/// What a turn of reading brought.
pub(super) enum Turn {
    Nothing,
    Text,
    ConnectLine(ConnectLine),
}

/// The program's ends.
pub(super) struct Written {
    pub(super) output: OwnedFd,
    /// Otherwise our own.
    pub(super) errors: Option<OwnedFd>,
}

impl Streams {
    /// Its stdout is a terminal, as by `ssh -tt`: its stdio, which prints the message of the day later, keeps all for itself
    /// where it is none. So is its stderr where ours is the same as our stdout, so that its words come in their order.
    pub(super) fn open(verbose: bool) -> Result<(Self, Written)> {
        let terminal = PseudoTerminal::open_raw().context("a terminal for mosh-server")?;
        let PseudoTerminal { ours: output, theirs: written } = terminal;
        let (errors, written_errors) = match verbose {
            // A verbose server goes on writing there once it is detached.
            true => (None, None),
            false if is_one_terminal() => (None, Some(written.try_clone()?)),
            false => {
                let (ours, theirs) = io::pipe()?;
                (Some(File::from(OwnedFd::from(ours))), Some(theirs.into()))
            }
        };
        let (output, errors) = (Pipe::new(Some(output))?, Pipe::new(errors)?);
        let streams = Self {
            output,
            errors,
            reader: Reader::new(),
            complaint: Complaint::default(),
            output_behind: Vec::new(),
            errors_behind: Vec::new(),
        };
        Ok((streams, Written { output: written, errors: written_errors }))
    }

    /// Whether a connect line may still come.
    pub(super) fn is_open(&self) -> bool {
        !self.output.is_closed()
    }

    /// Returns when something has come, or the deadline.
    pub(super) fn wait(&self, reaper: &Reaper, deadline: Option<Instant>) -> Result<()> {
        let sources = [&self.output, &self.errors].into_iter().filter_map(Pipe::descriptor);
        let mut descriptors: Vec<_> = sources.collect();
        descriptors.push(PollFd::new(reaper, PollFlags::IN));
        Ok(wait(&mut descriptors, deadline)?)
    }

    /// Passes on what has come, up to the connect line.
    pub(super) fn read_to_connect_line(&mut self) -> io::Result<Turn> {
        // In this order: what came after the connect line is not taken for what came before it.
        let [errors, output] = [&mut self.errors, &mut self.output].map(|pipe| Zeroizing::new(pipe.read()));
        let mut text = Vec::new();
        let mut rest = output.iter();
        let line = rest.find_map(|byte| self.reader.take(*byte, &mut text));
        self.output_behind.extend(rest);
        if line.is_some() {
            self.errors_behind.extend_from_slice(&errors);
            self.pass_on(text, vec![])?;
        } else {
            self.pass_on(text, errors.to_vec())?;
        }
        let is_silent = output.is_empty() && errors.is_empty();
        Ok(line.map_or(if is_silent { Turn::Nothing } else { Turn::Text }, Turn::ConnectLine))
    }

    /// What was kept, since it might have become the connect line, and nothing more has come.
    pub(super) fn finish(&mut self) -> io::Result<Option<ConnectLine>> {
        let mut text = Vec::new();
        let line = self.reader.finish(&mut text);
        self.pass_on(text, vec![])?;
        Ok(line)
    }

    fn pass_on(&mut self, mut output: Vec<u8>, mut errors: Vec<u8>) -> io::Result<()> {
        self.complaint.keep(&mut output, &mut errors);
        pass_on_errors(&errors);
        write_unbuffered(stdio::stdout(), &output)?;
        if self.complaint.is_too_long() { self.pass_on_complaint() } else { Ok(()) }
    }

    /// A program that goes on behind it looks after itself.
    pub(super) fn pass_on_complaint(&mut self) -> io::Result<()> {
        let Complaint { output, errors, .. } = &mut self.complaint;
        pass_on_errors(&std::mem::take(errors));
        write_unbuffered(stdio::stdout(), &std::mem::take(output))
    }

    /// Keeps what has come behind the connect line.
    pub(super) fn read_behind(&mut self) {
        let output = (&mut self.output, &mut self.output_behind);
        for (source, behind) in [output, (&mut self.errors, &mut self.errors_behind)] {
            let room = BEHIND_BYTES_MAXIMUM.saturating_sub(behind.len());
            behind.extend(Zeroizing::new(source.read()).iter().take(room));
        }
    }
}

fn is_one_terminal() -> bool {
    let (output, errors) = (stdio::stdout(), stdio::stderr());
    let device = |descriptor| fstat(descriptor).map(|status| status.st_rdev);
    isatty(output) && isatty(errors) && device(output).is_ok_and(|output| device(errors) == Ok(output))
}
