//! What the user sees while connecting: with -v a line for each step, else one line that is gone afterwards.
//!
//! ssh may be asking on the same terminal, and nobody tells us. The line therefore stands on the last row, outside the
//! part that scrolls: whatever is asked and answered above it neither moves nor meets it. It goes even if this
//! process is killed: see [`eraser`](super::eraser).

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use net::clock;
use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

use super::eraser::Eraser;
use crate::report;

const SAVE_CURSOR: &str = "\x1b7";
const RESTORE_CURSOR: &str = "\x1b8";
const ERASE_LINE: &str = "\x1b[2K";
const SCROLL_EVERYWHERE: &str = "\x1b[r";

/// Scrolls, if the cursor is on the last row, and comes back without moving to the first column (xterm's ctlseqs: VT
/// is LF, and the terminal driver adds a carriage return to LF only).
const MAKE_ROOM_BELOW: &str = "\x0b\x1b[A";

/// With fewer rows there is none to spare.
const ROWS_MINIMUM: u16 = 4;

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
            write(&drawn(text, rows, columns));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The terminal is somebody else's until the next drawing.
    pub(crate) fn hide(&mut self) {
        if let Some(eraser) = self.eraser.take() {
            erase();
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

/// Gives the last row back to what scrolls.
pub(crate) fn erase() {
    let (rows, _) = window().unwrap_or((ROWS_MINIMUM, 0));
    write(&erased(rows));
}

/// What a job draws from the background stands in the way of another.
fn is_in_background() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|group| group != getpgrp())
}

/// Whether stderr is a terminal whose cursor can be moved.
pub(crate) fn is_screen() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// Rows and columns.
pub(crate) fn window() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stderr()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// In one piece, so that nothing of ssh's comes between.
fn write(text: &str) {
    let _nobody_looks = io::stderr().write_all(text.as_bytes());
}

fn drawn(text: &str, rows: u16, columns: u16) -> String {
    let width = usize::from(columns - 1);
    let text: String = format!("moshpunch: {}", report::sanitized(text)).chars().take(width).collect();
    let above = rows - 1;
    format!("{MAKE_ROOM_BELOW}{SAVE_CURSOR}\x1b[1;{above}r\x1b[{rows};1H{ERASE_LINE}{text}{RESTORE_CURSOR}")
}

fn erased(rows: u16) -> String {
    format!("{SAVE_CURSOR}{SCROLL_EVERYWHERE}\x1b[{rows};1H{ERASE_LINE}{RESTORE_CURSOR}")
}
