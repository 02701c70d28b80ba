//! The screen behind stderr, while it is ours to draw on.

use std::env;
use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

const SAVE_CURSOR: &str = "\x1b7";
const RESTORE_CURSOR: &str = "\x1b8";
const ERASE_LINE: &str = "\x1b[2K";
const SCROLL_EVERYWHERE: &str = "\x1b[r";

/// Scrolls, if the cursor is on the last row, and comes back without moving to the first column (xterm's ctlseqs: VT
/// is LF, and the terminal driver adds a carriage return to LF only).
const MAKE_ROOM_BELOW: &str = "\x0b\x1b[A";

/// With fewer rows there is none to spare.
pub(crate) const ROWS_MINIMUM: u16 = 4;

/// Whether stderr is a terminal whose cursor can be moved.
pub(crate) fn is_screen() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// Rows and columns.
pub(crate) fn window() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stderr()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Outside what scrolls.
pub(crate) fn draw_on_last_row(text: &str, rows: u16, columns: u16) {
    write(&drawn(text, rows, columns));
}

/// Gives the last row back to what scrolls.
pub(crate) fn erase_last_row() {
    let (rows, _) = window().unwrap_or((ROWS_MINIMUM, 0));
    write(&erased(rows));
}

/// In one piece, so that nothing of ssh's comes between.
fn write(text: &str) {
    let _nobody_looks = io::stderr().write_all(text.as_bytes());
}

fn drawn(text: &str, rows: u16, columns: u16) -> String {
    let width = usize::from(columns - 1);
    let text: String = text.chars().take(width).collect();
    let above = rows - 1;
    format!("{MAKE_ROOM_BELOW}{SAVE_CURSOR}\x1b[1;{above}r\x1b[{rows};1H{ERASE_LINE}{text}{RESTORE_CURSOR}")
}

fn erased(rows: u16) -> String {
    format!("{SAVE_CURSOR}{SCROLL_EVERYWHERE}\x1b[{rows};1H{ERASE_LINE}{RESTORE_CURSOR}")
}
