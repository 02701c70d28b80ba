//! What the targets share: how bytes become a story, and the machinery that lives through it.
//!
//! Every target is a parser, or a state machine, and what must hold of its results. That it does not panic is
//! the least of that.

pub mod control_port;
pub mod host;

use std::time::Instant;

/// Nothing here waits; a story only ever counts on from this.
#[expect(clippy::disallowed_methods, reason = "an instant has to come from somewhere")]
#[must_use]
pub fn start() -> Instant {
    Instant::now()
}

/// Whether `text` is safe in a request line, a header, or a line on a terminal.
#[must_use]
pub fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}
