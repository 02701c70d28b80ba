//! What the user reads on stderr.

use std::fmt::Display;

pub(crate) fn error(error: &anyhow::Error) {
    line(format_args!("{error:#}"));
}

/// One line: what happened, and what to do.
pub(crate) fn no_mapping(cause: &dyn Display, cure: &str) {
    line(format_args!("{cause}; {cure}"));
}

fn line(text: impl Display) {
    eprintln!("moshpunch: {}", sanitized(&text.to_string()));
}

/// Text of a router or a file must not drive the user's terminal.
fn sanitized(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(sanitized("a\x1b[2Jb\nc\u{9b}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }
}
