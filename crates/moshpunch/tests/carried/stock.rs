//! Stock mosh in the same place, which gets no prompt.

use anyhow::{Result, ensure};
use lab::{Host, Terminal, USER};

use crate::common::PATIENCE;

pub(crate) struct Stock {
    terminal: Terminal,
}

impl Stock {
    /// It has logged in, and says that it hears nothing.
    pub(crate) fn hears_nothing(laptop: &Host, words: &[&str]) -> Result<Self> {
        let mosh = laptop.command("mosh").args(words).as_user(USER);
        let terminal = laptop.terminal(&mosh, 24, 80)?;
        terminal.wait_until("mosh's line about silence", PATIENCE, says_so)?;
        Ok(Self { terminal })
    }

    /// Nor has it heard anything since, as long as the session beside it was used.
    pub(crate) fn has_heard_nothing(&self) -> Result<()> {
        let screen = self.terminal.screen();
        ensure!(!screen.contains("alice@"), "mosh has a prompt:\n{screen}");
        Ok(())
    }
}

/// Of a machine that lets nothing out, mosh-client tells the kernel's words.
fn says_so(screen: &str) -> bool {
    ["Nothing received from server", "Operation not permitted", "unreachable"]
        .iter()
        .any(|words| screen.contains(words))
}
