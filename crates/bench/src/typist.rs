//! Who types one key after the other, and measures how long each echo takes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Host, Terminal, USER};

use crate::clock::{milliseconds_since, rest};
use crate::sample::Sample;
use crate::turns::progress;

const PATIENCE: Duration = Duration::from_secs(30);

const TURNS_A_RUN: usize = 4;
const KEYS_A_TURN: usize = 20;
/// Between an echo and the next key: somebody types.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Typist {
    terminal: Terminal,
    prompt: &'static str,
    /// In milliseconds.
    echoes: Vec<f64>,
}

impl Typist {
    pub(crate) fn open(laptop: &Host, words: &[&str], prompt: &'static str) -> Result<Self> {
        let command = laptop.command(words[0]).args(&words[1..]).as_user(USER);
        let terminal = laptop.terminal(&command, 24, 80)?;
        terminal.wait_for(prompt, PATIENCE)?;
        Ok(Self { terminal, prompt, echoes: Vec::new() })
    }

    fn take_turn(&mut self) -> Result<()> {
        for typed in 1..=KEYS_A_TURN {
            rest(PAUSE)?;
            let start = net::clock::now();
            self.terminal.type_text("x")?;
            self.terminal.wait_for(&format!("$ {}", "x".repeat(typed)), PATIENCE)?;
            self.echoes.push(milliseconds_since(start));
        }
        self.terminal.type_text("\x15")?;
        let is_empty = |screen: &str| screen.trim_end().ends_with(self.prompt);
        self.terminal.wait_until("an empty line", PATIENCE, is_empty).context("between two turns")
    }
}

/// What each of them measured, by turns.
pub(crate) fn type_by_turns<const N: usize>(mut typists: [Typist; N], runs: usize) -> Result<[Sample; N]> {
    for turn in 1..=runs * TURNS_A_RUN {
        progress(&format!("echo: turn {turn} of {}", runs * TURNS_A_RUN));
        typists.iter_mut().try_for_each(Typist::take_turn)?;
    }
    progress("");
    Ok(typists.map(|typist| typist.echoes.into_iter().map(Some).collect()))
}

pub(crate) fn slowest_in_a_hundred(sample: &Sample) -> Sample {
    sample.quantile(990).map_or_else(Sample::default, Sample::from)
}

pub(crate) fn slowest_in_twenty(sample: &Sample) -> Sample {
    sample.quantile(950).map_or_else(Sample::default, Sample::from)
}
