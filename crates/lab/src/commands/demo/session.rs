//! A user before a terminal.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Terminal, USER};

const PATIENCE: Duration = Duration::from_secs(20);
const ROWS: u16 = 24;
/// Two borders and an indentation later it is 80.
pub(super) const COLUMNS: u16 = 76;

pub(super) struct Session {
    command_line: String,
    host: String,
    terminal: Terminal,
    /// How often something was typed.
    typed: u32,
}

impl Session {
    /// Returns when the shell of `host` prompts.
    pub(super) fn open(laptop: &Host, words: &[&str], host: &str) -> Result<Self> {
        let session = Self::start(laptop, words, host)?;
        let what = format!("a prompt of {host}");
        session.terminal.wait_until(&what, PATIENCE, |screen| prompts(screen, host))?;
        Ok(session)
    }

    /// Returns when there is no more than this to see.
    pub(super) fn waits(laptop: &Host, words: &[&str], shown: &str) -> Result<Self> {
        let session = Self::start(laptop, words, "nobody")?;
        session.terminal.wait_for(shown, PATIENCE)?;
        Ok(session)
    }

    fn start(laptop: &Host, words: &[&str], host: &str) -> Result<Self> {
        let command = laptop.command(words[0]).args(&words[1..]).as_user(USER);
        let terminal = laptop.terminal(&command, ROWS, COLUMNS)?;
        let command_line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        Ok(Self { command_line, host: host.to_owned(), terminal, typed: 0 })
    }

    pub(super) fn screen(&self) -> String {
        self.terminal.screen()
    }

    pub(super) fn command_line(&self) -> &str {
        &self.command_line
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Gives the screen that shows the answer. What is typed beside `command` is answered by what its echo does not
    /// hold, nor any answer before it.
    pub(super) fn type_command(&mut self, command: &str) -> Result<String> {
        let factor = 7 + self.typed;
        self.typed += 1;
        self.terminal.type_text(&format!("{command}; echo \"6 * {factor} = $((6*{factor}))\"\r"))?;
        let (answer, host) = (format!("6 * {factor} = {}", 6 * factor), &self.host);
        self.terminal.wait_until(&format!("{answer:?} and a prompt"), PATIENCE, |screen| {
            screen.contains(&answer) && prompts(screen, host)
        })?;
        Ok(self.terminal.screen())
    }

    /// Gives the screen that shows the last words of the client.
    pub(super) fn exit(mut self, last_words: &str) -> Result<String> {
        self.terminal.type_text("exit\r")?;
        let status = self.terminal.wait_exit(PATIENCE)?;
        ensure!(status.success(), "{} ended with {status}", self.command_line);
        self.terminal.wait_for(last_words, PATIENCE)?;
        Ok(self.terminal.screen())
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
