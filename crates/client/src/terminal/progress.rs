//! What the user sees while connecting: with -v a line for each step, else one line that is gone afterwards.
//!
//! ssh may be asking on the same terminal, and nobody tells us. The line therefore stands on the last row, outside the
//! part that scrolls: whatever is asked and answered above it neither moves nor meets it. It goes even if this
//! process is killed: see [`eraser`](crate::terminal::eraser).

use std::io;
use std::time::{Duration, Instant};

use net::clock;
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

use crate::terminal::eraser::Eraser;
use crate::terminal::screen::{ROWS_MINIMUM, draw_on_last_row, erase_last_row, is_screen, window};

/// A step that is over sooner is not worth a line.
const WORTH_A_LINE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Progress {
    manner: Manner,
    step: Option<String>,
    /// When the step is shown, if it is not over by then.
    due: Option<Instant>,
    /// While the line stands.
    eraser: Option<Eraser>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Verbose,
    OneLine,
    Silent,
}

impl Progress {
    pub(crate) fn new(verbose: bool) -> Self {
        let manner = match (verbose, is_screen()) {
            (true, _) => Manner::Verbose,
            (false, true) => Manner::OneLine,
            (false, false) => Manner::Silent,
        };
        Self { manner, step: None, due: None, eraser: None }
    }

    /// What is being done now.
    pub(crate) fn step(&mut self, text: &str) {
        match self.manner {
            Manner::Verbose => report::note(text),
            Manner::OneLine => {
                self.step = Some(text.to_owned());
                if self.eraser.is_some() {
                    self.draw();
                } else {
                    self.due = Some(clock::now() + WORTH_A_LINE);
                }
            }
            Manner::Silent => {}
        }
    }

    /// For `-v` only.
    pub(crate) fn detail(&self, text: &str) {
        if self.manner == Manner::Verbose {
            report::note(text);
        }
    }

    pub(crate) fn draw_if_due(&mut self) {
        if self.due.is_some_and(|due| due <= clock::now()) {
            self.draw();
        }
    }

    /// Unless another job uses the terminal.
    pub(crate) fn draw(&mut self) {
        self.due = None;
        let size = window().filter(|&(rows, _)| rows >= ROWS_MINIMUM && !is_in_background());
        let (Some((rows, columns)), Some(text)) = (size, &self.step) else { return };
        if self.eraser.is_none() {
            self.eraser = Eraser::start().inspect_err(|error| tracing::debug!(%error, "no eraser")).ok();
        }
        // What nobody could erase is not drawn.
        if self.eraser.is_some() {
            draw_on_last_row(&report::told(text), rows, columns);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The terminal is somebody else's until the next drawing.
    pub(crate) fn hide(&mut self) {
        if let Some(eraser) = self.eraser.take() {
            erase_last_row();
            eraser.dismiss();
        }
    }

    /// The terminal is somebody else's from now on.
    pub(crate) fn clear(&mut self) {
        (self.step, self.due) = (None, None);
        self.hide();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What a job draws from the background stands in the way of another.
fn is_in_background() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|group| group != getpgrp())
}
