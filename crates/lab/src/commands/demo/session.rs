//! A user before a terminal.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Terminal, USER};

/// Says where one is, and answers what its echo does not hold.
const TYPED: &str = "hostname; ip -brief -4 address; echo \"6 * 7 = $((6*7))\"";
const ANSWER: &str = "6 * 7 = 42";

const PATIENCE: Duration = Duration::from_secs(20);
const ROWS: u16 = 24;
/// Two borders and an indentation later it is 80.
pub(super) const COLUMNS: u16 = 76;

pub(super) struct Session {
    command_line: String,
    host: String,
    terminal: Terminal,
}

impl Session {
    /// Returns when the shell of `host` prompts.
    pub(super) fn open(laptop: &Host, words: &[&str], host: &str) -> Result<Self> {
        let command = laptop.command(words[0]).args(&words[1..]).as_user(USER);
        let terminal = laptop.terminal(&command, ROWS, COLUMNS)?;
        terminal.wait_until(&format!("a prompt of {host}"), PATIENCE, |screen| prompts(screen, host))?;
        let command_line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        Ok(Self { command_line, host: host.to_owned(), terminal })
    }

    pub(super) fn command_line(&self) -> &str {
        &self.command_line
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Gives the screen that shows the answer.
    pub(super) fn type_command(&mut self) -> Result<String> {
        self.terminal.type_text(&format!("{TYPED}\r"))?;
        let host = &self.host;
        self.terminal.wait_until(&format!("{ANSWER:?} and a prompt"), PATIENCE, |screen| {
            screen.contains(ANSWER) && prompts(screen, host)
        })?;
        Ok(self.terminal.screen())
    }

    pub(super) fn exit(mut self) -> Result<()> {
        self.terminal.type_text("exit\r")?;
        let status = self.terminal.wait_exit(PATIENCE)?;
        ensure!(status.success(), "{} ended with {status}", self.command_line);
        Ok(())
    }
}

fn prompts(screen: &str, host: &str) -> bool {
    screen.trim_end().lines().last() == Some(&format!("{USER}@{host}:~$"))
}

/// As a user would type it: `--ssh="ssh -p 8022"`.
fn quoted(word: &str) -> String {
    match word.split_once('=') {
        Some((option, value)) if value.contains(' ') => format!("{option}=\"{value}\""),
        _ => word.to_owned(),
    }
}
