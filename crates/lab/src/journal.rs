//! The log of every program of a lab, and the report of them all when a scenario fails.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

const REPORTED_LINES: usize = 200;

#[derive(Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
    logs: Mutex<Vec<Log>>,
}

#[derive(Clone, Debug)]
struct Log {
    title: String,
    path: PathBuf,
}

impl Journal {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, logs: Mutex::default() }
    }

    /// Makes an empty log; `title` heads it in the report.
    pub(crate) fn log(&self, title: &str) -> Result<PathBuf> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let name: String = title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = self.directory.join(format!("{:03}-{name:.60}.log", logs.len()));
        File::create(&path).with_context(|| format!("making the log {}", path.display()))?;
        logs.push(Log { title: title.to_owned(), path: path.clone() });
        Ok(path)
    }

    /// The end of each log that is not empty, in the order in which the programs were started.
    pub(crate) fn report(&self) -> String {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut report = String::new();
        for log in logs {
            let text = read(&log.path);
            if !text.trim().is_empty() {
                write!(report, "\n---- {} ----\n{}", log.title, tail(&text, REPORTED_LINES))
                    .expect("a String takes every write");
            }
        }
        report
    }
}

/// A log's text; programs may write what is not UTF-8.
pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let left_out = all.len().saturating_sub(lines);
    let mut tail = if left_out > 0 { format!("({left_out} lines above)\n") } else { String::new() };
    for line in &all[left_out..] {
        tail.push_str(line);
        tail.push('\n');
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_cut_and_says_so() {
        assert_eq!(tail("a\nb\nc", 2), "(1 lines above)\nb\nc\n");
    }

    #[test]
    fn a_short_log_is_whole() {
        assert_eq!(tail("a\nb\n", 2), "a\nb\n");
    }
}
