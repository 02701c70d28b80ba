//! What ssh says, in the order in which it said it.
//!
//! ssh asks on the terminal itself, but its messages come to us through a pipe: a message that belongs before a
//! question may reach the terminal after it. So each is put *above* the line in which the cursor stands. If the
//! question is already there, it moves down with the cursor behind it; if not, nothing can be told from plain writing.

use std::io::{self, Write};

use crate::terminal::screen::{is_screen, window};

#[derive(Debug)]
pub(crate) struct Messages {
    screen: bool,
    /// The last one had no end yet; it may be a question itself, of a program that asks without ssh.
    unfinished: bool,
}

impl Messages {
    pub(crate) fn new() -> Self {
        Self { screen: is_screen(), unfinished: false }
    }

    /// Whether each goes above the line in which the cursor stands.
    pub(crate) fn stand_above(&self) -> bool {
        self.screen
    }

    pub(crate) fn show(&mut self, text: &[u8]) {
        let columns = window().filter(|_| self.screen).map(|(_, columns)| columns);
        let shown = match columns {
            Some(columns) => self.placed(text, usize::from(columns)),
            None => text.to_vec(),
        };
        let _nobody_looks = io::stderr().write_all(&shown);
    }

    fn placed(&mut self, text: &[u8], columns: usize) -> Vec<u8> {
        let mut placed = Vec::new();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let whole = line.strip_suffix(b"\n").filter(|_| !self.unfinished);
            match whole {
                Some(whole) => placed.extend(above(whole.strip_suffix(b"\r").unwrap_or(whole), columns)),
                None => placed.extend(line),
            }
            self.unfinished = !line.ends_with(b"\n");
        }
        placed
    }
}

/// Makes room below the cursor, lets its line and all below move down, and writes into the gap.
fn above(line: &[u8], columns: usize) -> Vec<u8> {
    let rows = String::from_utf8_lossy(line).chars().count().div_ceil(columns).max(1);
    let room = "\x0b".repeat(rows);
    let mut text = format!("{room}\x1b[{rows}A\x1b7\r\x1b[{rows}L").into_bytes();
    text.extend(line);
    text.extend(format!("\x1b8\x1b[{rows}B").bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Messages {
        Messages { screen: true, unfinished: false }
    }

    fn placed(messages: &mut Messages, text: &str) -> String {
        String::from_utf8(messages.placed(text.as_bytes(), 10)).unwrap()
    }

    #[test]
    fn a_whole_line_goes_above_the_cursor() {
        let expected = "\x0b\x1b[1A\x1b7\r\x1b[1Ldenied\x1b8\x1b[1B";
        assert_eq!(placed(&mut messages(), "denied\r\n"), expected);
        let two_rows = "\x0b\x0b\x1b[2A\x1b7\r\x1b[2Lten letters\x1b8\x1b[2B";
        assert_eq!(placed(&mut messages(), "ten letters\n"), two_rows);
    }

    #[test]
    fn a_line_without_an_end_stays_where_it_is_asked() {
        let mut messages = messages();
        assert_eq!(placed(&mut messages, "Code: "), "Code: ");
        assert_eq!(placed(&mut messages, "\nno"), "\nno");
        assert_eq!(placed(&mut messages, "t now\nbye\n"), "t now\n\x0b\x1b[1A\x1b7\r\x1b[1Lbye\x1b8\x1b[1B");
    }
}
