//! The result on stdout, as text or as one JSON value; messages on stderr.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::failure::Failure;

#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    /// There is one JSON value in the whole life of a command.
    answered: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json, answered: false }
    }

    /// What is in `text` must be fit for a terminal.
    pub(super) fn answer(&mut self, text: &impl Display, value: &impl Serialize) -> Result<(), Failure> {
        if !self.json {
            let text = text.to_string();
            return match text.trim_end() {
                "" => Ok(()),
                text => Ok(writeln!(io::stdout(), "{text}")?),
            };
        }
        if !self.answered {
            self.answered = true;
            let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
            writeln!(io::stdout(), "{}", report::sanitized_json(&text))?;
        }
        Ok(())
    }

    /// Two lines, and the JSON value if there was none yet.
    pub(super) fn trouble(&mut self, failure: &Failure) {
        caution(failure);
        // A reader who is gone has been told already.
        let _ = if self.json { self.answer(&"", &json!({ "error": failure.to_json() })) } else { Ok(()) };
    }
}

/// Two lines beside a result.
pub(super) fn caution(failure: &Failure) {
    report::trouble(&failure.trouble);
}
