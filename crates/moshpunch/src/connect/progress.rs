//! What the user sees while connecting: with -v a line for each step, else one line that is gone afterwards.
//!
//! ssh may be asking on the same terminal, and nobody tells us. The line therefore stands on the last row, outside the
//! part that scrolls: whatever is asked and answered above it neither moves nor meets it.

use std::env;
use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

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

#[derive(Debug)]
pub(crate) struct Progress {
    manner: Manner,
    shown: bool,
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
        Self { manner, shown: false }
    }

    /// What is being done now.
    pub(crate) fn step(&mut self, text: &str) {
        match self.manner {
            Manner::Verbose => report::note(text),
            Manner::OneLine => {
                if let Some((rows, columns)) = window().filter(|&(rows, _)| rows >= ROWS_MINIMUM) {
                    self.shown = true;
                    write(&drawn(text, rows, columns));
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

    /// The terminal is somebody else's from now on.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let (rows, _) = window().unwrap_or((ROWS_MINIMUM, 0));
            write(&erased(rows));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
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
