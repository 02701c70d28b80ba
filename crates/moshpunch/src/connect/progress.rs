//! What the user sees while connecting: with -v a line for each step, else one line that is gone afterwards.
//!
//! The line stands *below* the cursor, which stays where ssh has it: ssh may be asking for a password there, and nobody
//! tells us. A vertical tab makes room without moving to the first column (xterm's ctlseqs: VT is LF, and the terminal
//! driver adds a carriage return to LF only).

use std::io::{self, IsTerminal, Write};

use crate::report;

const MAKE_ROOM_BELOW: &str = "\x0b\x1b[A";
const SAVE_CURSOR: &str = "\x1b7";
const RESTORE_CURSOR: &str = "\x1b8";
const NEXT_LINE_EMPTIED: &str = "\x1b[B\r\x1b[2K";
const EMPTY_BELOW: &str = "\x1b[J";

/// A terminal is seldom narrower.
const WIDTH: usize = 79;

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
        let manner = match (verbose, io::stderr().is_terminal()) {
            (true, _) => Manner::Verbose,
            (false, true) => Manner::OneLine,
            (false, false) => Manner::Silent,
        };
        Self { manner, shown: false }
    }

    /// What is being done now.
    pub(crate) fn step(&mut self, text: &str) {
        match self.manner {
            Manner::Verbose => report::say(&text),
            Manner::OneLine => {
                self.shown = true;
                let _nobody_looks = io::stderr().write_all(below(text).as_bytes());
            }
            Manner::Silent => {}
        }
    }

    /// For `-v` only.
    pub(crate) fn detail(&self, text: &str) {
        if self.manner == Manner::Verbose {
            report::say(&text);
        }
    }

    /// Somebody else is about to write.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _nobody_looks = io::stderr().write_all(EMPTY_BELOW.as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn below(text: &str) -> String {
    let text: String = format!("moshpunch: {}", report::sanitized(text)).chars().take(WIDTH).collect();
    format!("{MAKE_ROOM_BELOW}{SAVE_CURSOR}{NEXT_LINE_EMPTIED}{text}{RESTORE_CURSOR}")
}
