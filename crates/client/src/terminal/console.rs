//! The user's terminal while logging in: what ssh and the host print is shown there, and what is typed goes to the host
//! while it asks.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::Result;
use net::clock;
use programs::signals::JobControl;
use rustix::event::PollFd;

use crate::terminal::keyboard::Keyboard;
use crate::terminal::messages::Messages;
use crate::terminal::progress::Progress;
use crate::terminal::question::Question;

/// A question of the host's is told again in one line.
const CHARACTERS_TOLD: usize = 60;

#[derive(Debug)]
pub(crate) struct Console {
    progress: Progress,
    messages: Messages,
    /// Of the line that the host has not ended yet, what is on the screen.
    shown: Vec<u8>,
    /// The last line that said anything.
    last_line: Vec<u8>,
    question: Question,
    keyboard: Keyboard,
    jobs: JobControl,
}

impl Console {
    pub(crate) fn new(verbose: bool) -> Result<Self> {
        Ok(Self {
            progress: Progress::new(verbose),
            messages: Messages::new(),
            shown: Vec::new(),
            last_line: Vec::new(),
            question: Question::default(),
            keyboard: Keyboard::new(),
            jobs: JobControl::take()?,
        })
    }

    pub(crate) fn step(&mut self, text: &str) {
        self.progress.step(text);
    }

    pub(crate) fn detail(&self, text: &str) {
        self.progress.detail(text);
    }

    pub(crate) fn show_messages(&mut self, messages: &[u8]) {
        if !messages.is_empty() {
            self.messages.show(messages);
        }
    }

    /// A line of ours, above what the host or ssh asks; below it where the cursor cannot be moved.
    pub(crate) fn note(&mut self, text: &str) {
        let is_below = !self.shown.is_empty() && !self.messages.stand_above();
        let begin = if is_below { "\n" } else { "" };
        self.messages.show(format!("{begin}{}\n", report::told(text)).as_bytes());
    }

    /// A whole line of the host's, as mosh's script shows what it does not understand.
    pub(crate) fn show_line(&mut self, line: &[u8]) -> Result<()> {
        let rest = line.get(self.shown.len()..).unwrap_or_default();
        if !line.is_empty() {
            write(&[rest, b"\n"].concat())?;
            self.last_line = line.to_vec();
        }
        self.shown.clear();
        Ok(())
    }

    /// What the host has printed of a line so far. Where it `has_keyboard`, what is typed from now on may be for it, and is
    /// not to be echoed here.
    pub(crate) fn show_unfinished(&mut self, begun: &[u8], has_keyboard: bool) -> Result<()> {
        self.question.handle_output(!begun.is_empty(), clock::now());
        if has_keyboard && self.question.may_be_asked() {
            self.keyboard.give_to_host();
        } else {
            self.keyboard.give_back();
        }
        write(begun.get(self.shown.len()..).unwrap_or_default())?;
        self.shown = begun.to_vec();
        Ok(())
    }

    /// What the host said last, in words for one line; whether the user can answer it here.
    pub(crate) fn last_words(&self) -> (String, bool) {
        let line = if self.shown.is_empty() { &self.last_line } else { &self.shown };
        let words = report::plain(&String::from_utf8_lossy(line));
        (words.chars().take(CHARACTERS_TOLD).collect(), self.keyboard.is_given())
    }

    /// What was typed for the host.
    pub(crate) fn keys(&mut self) -> Vec<u8> {
        if self.question.is_asked(clock::now()) { self.keyboard.read() } else { Vec::new() }
    }

    /// Draws what is due; stops, if the user wants that, with the terminal as it was.
    pub(crate) fn keep_up(&mut self) {
        if self.jobs.is_to_stop() {
            self.keyboard.give_back();
            self.progress.hide();
            self.jobs.stop();
        }
        if self.jobs.has_gone_on() {
            self.progress.draw();
        }
        self.progress.draw_if_due();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.progress.poll_timeout().into_iter().chain(self.question.poll_timeout(clock::now())).min()
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let keyboard = self.keyboard.descriptor().filter(|_| self.question.is_asked(clock::now()));
        self.jobs.descriptors().chain(keyboard)
    }

    /// The terminal is as it was, and the cursor at the beginning of a line. What is left is the progress.
    pub(crate) fn leave(mut self) -> Result<Progress> {
        self.keyboard.give_back();
        if !self.shown.is_empty() {
            write(b"\n")?;
        }
        Ok(self.progress)
    }
}

fn write(text: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text)?;
    Ok(stdout.flush()?)
}
