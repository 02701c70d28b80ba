//! What the user is told: messages on stderr, troubles, and a log.

pub mod log;
mod trouble;

pub use trouble::{Explain, Machine, Step, Told, Trouble};

use std::fmt::{Debug, Display, Write as _};
use std::io::{self, Write};

/// How each line of ours begins, by which the client knows those of the host's moshpunch.
pub const BEGINNING: &str = "moshpunch: ";

/// An error with what led to it, in one line.
pub fn error(error: &anyhow::Error) {
    line(format_args!("{error:#}"));
}

/// What happened, and what to do, in one line: beside a session that begins all the same.
pub fn in_one_line<C: Explain + Debug>(trouble: &Trouble<C>) {
    tracing::debug!(?trouble);
    line(trouble::in_one_line(&trouble.cause));
}

/// What happened, and on the next line what to do.
pub fn trouble<C: Explain + Debug>(trouble: &Trouble<C>) {
    tracing::debug!(?trouble);
    line(trouble.cause.what());
    if let Some(cure) = trouble.cause.cure() {
        print(format_args!("cure: {}", sanitized(&cure)));
    }
}

/// Something that is good to know: a step of what is being done, or what a service has done.
pub fn note(text: impl Display) {
    line(text);
}

fn line(text: impl Display) {
    print(told(&text.to_string()));
}

/// As a line of ours, without its end.
pub fn told(text: &str) -> String {
    format!("{BEGINNING}{}", sanitized(text))
}

/// In one piece, whoever else writes there. Where ssh's channel is closed, nobody reads it any more.
fn print(text: impl Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Text of a router or a file must not drive the user's terminal.
pub fn sanitized(text: &str) -> String {
    text.chars()
        .map(|character| if drives_the_terminal(character) { '\u{fffd}' } else { character })
        .collect()
}

/// JSON that means the same, and drives no terminal: its strings may have control characters beyond ASCII.
pub fn sanitized_json(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut sanitized, character| {
        match character {
            '\n' => sanitized.push(character),
            _ if drives_the_terminal(character) => {
                let _ = write!(sanitized, "\\u{:04x}", u32::from(character));
            }
            _ => sanitized.push(character),
        }
        sanitized
    })
}

/// The words that a line of a program leaves on the screen: without what only moves and colours, and what is written over.
pub fn plain(line: &str) -> String {
    let mut words = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => skip_sequence(&mut characters),
            '\r' => words.clear(),
            _ if character.is_control() => {}
            _ => words.push(character),
        }
    }
    sanitized(words.trim())
}

/// Behind ESC: of a control sequence all (ECMA-48, 5.4), of others one character.
fn skip_sequence(characters: &mut std::str::Chars<'_>) {
    if characters.next() == Some('[') {
        characters.find(|character| ('@'..='~').contains(character));
    }
}

/// Control characters, and those that turn the direction of what follows (UAX #9).
fn drives_the_terminal(character: char) -> bool {
    let turns = ['\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
    character.is_control()
        || turns.contains(&character)
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_told_without_what_draws_it() {
        assert_eq!(plain("\x1b[1m\x1b[7m%\x1b[27m   \r \r\r\x1b[0m\x1b[Jhost% \x1b[K\x1b[?2004h"), "host%");
        assert_eq!(plain("Press \x07Enter: \x1b[1"), "Press Enter:");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(sanitized("a\x1b[2Jb\nc\u{9b}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
        assert_eq!(sanitized("a\u{202e}b\u{2066}"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn json_means_the_same_without_them() {
        assert_eq!(
            sanitized_json("{\n  \"a\": \"ä\u{9b}2J\u{7f}\u{202e}\"\n}"),
            "{\n  \"a\": \"ä\\u009b2J\\u007f\\u202e\"\n}"
        );
    }
}
