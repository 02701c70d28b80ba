//! A program in a real pseudo-terminal, and the screen that its user sees.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::command::Command;
use crate::process::Process;
use crate::wait::Deadline;

pub(crate) const TYPE: &str = "xterm-256color";

/// Closed on drop, as by closing its window: the program is hung up, then killed.
#[derive(Debug)]
pub struct Terminal {
    process: Arc<Process>,
    keyboard: File,
    display: Arc<Display>,
    log: PathBuf,
}

impl Terminal {
    pub(crate) fn open(command: &Command, rows: u16, columns: u16) -> Result<Self> {
        let log = command.host().lab().journal.log(&format!("{command} (last screen)"))?;
        let (master, line) = pseudo_terminal(rows, columns)?;
        let process = command.start_on(&line)?;
        let display = Arc::new(Display::new(rows, columns)?);
        let keyboard = master.try_clone()?;
        let screen = Arc::clone(&display);
        thread::spawn(move || screen.show(master));
        Ok(Self { process, keyboard, display, log })
    }

    /// What the user sees: every row, without the spaces at its end.
    pub fn screen(&self) -> String {
        self.display.state().parser.screen().contents()
    }

    /// The red, green and blue in which the beginning of `text` is written; `None` where it is not to be seen, or
    /// has one of the terminal's own colours. No wide character may stand before it.
    pub fn colour_of(&self, text: &str) -> Option<(u8, u8, u8)> {
        let state = self.display.state();
        let screen = state.parser.screen();
        let (_, columns) = screen.size();
        let mut rows = screen.rows(0, columns.into()).zip(0..);
        let (row, column) = rows.find_map(|(shown, row)| Some((row, column_of(&shown, text)?)))?;
        match screen.cell(row, column)?.fgcolor() {
            vt100::Color::Rgb(red, green, blue) => Some((red, green, blue)),
            vt100::Color::Default | vt100::Color::Idx(_) => None,
        }
    }

    /// The base64 of the text that programs last asked this terminal to copy, by OSC 52 for the selection named `c`.
    pub fn clipboard(&self) -> Option<String> {
        self.display.state().parser.callbacks().0.clone()
    }

    /// # Errors
    /// When the clipboard is not given the text with this base64 within the limit.
    pub fn wait_for_clipboard(&self, base64: &str, within: Duration) -> Result<()> {
        let in_clipboard = format!("{base64:?} in its clipboard");
        self.wait_for_state(&in_clipboard, within, |state| {
            state.parser.callbacks().0.as_deref() == Some(base64)
        })
    }

    /// Sends keys. Enter is `\r`.
    ///
    /// # Errors
    /// When the terminal is closed.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        let what = self.process.what();
        self.keyboard.write_all(text.as_bytes()).with_context(|| format!("typing {text:?} into {what}"))
    }

    /// Turns the mouse's wheel by one notch towards the user's past, over the middle of the screen, as a terminal tells a
    /// program that asked for the mouse (SGR, 1006).
    ///
    /// # Errors
    /// When the terminal is closed.
    pub fn wheel_up(&mut self) -> Result<()> {
        self.type_text("\x1b[<64;10;10M")
    }

    /// Presses the mouse's left button at the first of some columns of a row, counted from 1, and moves to the last.
    ///
    /// # Errors
    /// When the terminal is closed.
    pub fn drag(&mut self, row: u16, columns: RangeInclusive<u16>) -> Result<()> {
        self.type_text(&format!("\x1b[<0;{};{row}M", columns.start()))?;
        for column in columns {
            self.type_text(&format!("\x1b[<32;{column};{row}M"))?;
        }
        Ok(())
    }

    /// Releases the mouse's left button.
    ///
    /// # Errors
    /// When the terminal is closed.
    pub fn release(&mut self, row: u16, column: u16) -> Result<()> {
        self.type_text(&format!("\x1b[<0;{column};{row}m"))
    }

    /// # Errors
    /// When the cursor does not come to this row and column, counted from 1, within the limit.
    pub fn wait_for_cursor(&self, row: u16, column: u16, within: Duration) -> Result<()> {
        self.wait_for_state(&format!("the cursor at {row};{column}"), within, |state| {
            let (above, before) = state.parser.screen().cursor_position();
            (above + 1, before + 1) == (row, column)
        })
    }

    /// # Errors
    /// When the screen does not show `text` within the limit; the error shows the screen.
    pub fn wait_for(&self, text: &str, within: Duration) -> Result<()> {
        self.wait_until(&format!("{text:?}"), within, |screen| screen.contains(text))
    }

    /// # Errors
    /// When `condition` does not hold for the screen within the limit; the error names `what` and shows the screen.
    pub fn wait_until(&self, what: &str, within: Duration, condition: impl Fn(&str) -> bool) -> Result<()> {
        self.wait_for_state(what, within, |state| condition(&state.parser.screen().contents()))
    }

    fn wait_for_state(
        &self,
        what: &str,
        within: Duration,
        condition: impl Fn(&DisplayState) -> bool,
    ) -> Result<()> {
        let deadline = Deadline::after(within);
        let mut state = self.display.state();
        loop {
            if condition(&state) {
                return Ok(());
            }
            let screen = state.parser.screen().contents();
            if state.closed {
                bail!("{} ended without showing {what}; its screen:\n{screen}", self.process.what());
            }
            if deadline.has_passed() {
                bail!("{} did not show {what} within {within:?}; its screen:\n{screen}", self.process.what());
            }
            state = self.display.wait_for_change(state, deadline.remaining());
        }
    }

    /// # Errors
    /// When the program still runs at the end of the limit; the error shows the screen.
    pub fn wait_exit(&self, within: Duration) -> Result<ExitStatus> {
        let status = self.process.wait_exit(within)?;
        let what = self.process.what();
        status.with_context(|| format!("{what} still runs after {within:?}; its screen:\n{}", self.screen()))
    }

    /// What the user sees in the end, once nobody writes any more. How a program ended can be known before the last that it
    /// wrote is on the screen.
    ///
    /// # Errors
    /// When a program still has the terminal open at the end of the limit; the error shows the screen.
    pub fn last_screen(&self, within: Duration) -> Result<String> {
        self.wait_for_state("its end", within, |state| state.closed)?;
        Ok(self.screen())
    }

    /// # Errors
    /// When the terminal is closed.
    pub fn resize(&mut self, rows: u16, columns: u16) -> Result<()> {
        let (nonzero_rows, nonzero_columns) = nonzero(rows, columns)?;
        self.display.state().parser.screen_mut().set_size(nonzero_rows, nonzero_columns);
        Ok(tcsetwinsize(&self.keyboard, window_size(rows, columns))?)
    }

    /// As seen from outside the host.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// # Errors
    /// When the program has ended and was waited for.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _reported_if_possible = std::fs::write(&self.log, self.screen());
        let _already_ended = self.process.signal(Signal::HUP);
        self.process.kill();
    }
}

/// The screen, drawn by a thread of its own so that the program never waits for a reader.
#[derive(Debug)]
struct Display {
    state: Mutex<DisplayState>,
    changed: Condvar,
}

struct DisplayState {
    parser: vt100::Parser<Clipboard>,
    closed: bool,
}

#[derive(Default)]
struct Clipboard(Option<String>);

impl vt100::Callbacks for Clipboard {
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, selection: &[u8], base64: &[u8]) {
        if selection == b"c" {
            self.0 = Some(String::from_utf8_lossy(base64).into_owned());
        }
    }
}

impl std::fmt::Debug for DisplayState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DisplayState").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl Display {
    fn new(rows: u16, columns: u16) -> Result<Self> {
        let (rows, columns) = nonzero(rows, columns)?;
        let parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Clipboard::default());
        let state = DisplayState { parser, closed: false };
        Ok(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    fn show(&self, mut master: File) {
        let mut output = [0; 4096];
        // The kernel answers EIO once the last process on the line has closed it.
        while let Ok(length @ 1..) = master.read(&mut output) {
            self.state().parser.process(&output[..length]);
            self.changed.notify_all();
        }
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, DisplayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_change<'a>(
        &self,
        state: MutexGuard<'a, DisplayState>,
        within: Duration,
    ) -> MutexGuard<'a, DisplayState> {
        self.changed.wait_timeout(state, within).unwrap_or_else(PoisonError::into_inner).0
    }
}

fn column_of(row: &str, text: &str) -> Option<u16> {
    let (before, _) = row.split_once(text)?;
    before.chars().count().try_into().ok()
}

fn pseudo_terminal(rows: u16, columns: u16) -> Result<(File, File)> {
    let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    tcsetwinsize(&master, window_size(rows, columns))?;
    let line =
        open(ptsname(&master, Vec::new())?, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
            .context("opening a pseudo-terminal's line")?;
    Ok((master.into(), line.into()))
}

fn window_size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn nonzero(rows: u16, columns: u16) -> Result<(NonZeroU16, NonZeroU16)> {
    Ok((
        rows.try_into().context("a terminal has rows")?,
        columns.try_into().context("a terminal has columns")?,
    ))
}
