//! What is asked before anything is ended.

use std::io::{self, BufRead, Write};

use rustix::stdio;
use rustix::termios::isatty;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// There is no terminal.
    NobodyToAsk,
}

/// On the terminal. Whatever is no yes is a no.
pub(super) fn ask(question: &str) -> io::Result<Answer> {
    if !isatty(stdio::stdin()) || !isatty(stdio::stderr()) {
        return Ok(Answer::NobodyToAsk);
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(answer(&line))
}

fn answer(line: &str) -> Answer {
    let line = line.trim();
    if ["y", "yes"].iter().any(|yes| line.eq_ignore_ascii_case(yes)) { Answer::Yes } else { Answer::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for line in ["y\n", "Y\r\n", " yes \n", "YES"] {
            assert_eq!(answer(line), Answer::Yes, "{line:?}");
        }
        for line in ["", "\n", "n\n", "yesterday\n", "yy\n"] {
            assert_eq!(answer(line), Answer::No, "{line:?}");
        }
    }
}
