//! How much a login may print. A host that prints without end must not keep us busy, nor fill our memory.

use crate::login::transcript::Line;

/// Before the connect line. A host that is no enemy prints four.
const LINES_OF_OURS_MAXIMUM: usize = 256;

/// Before the connect line. A long message of the day has some kilobytes, and `ssh -vvv` tells a hundred.
const BYTES_MAXIMUM: usize = 16 * 1024 * 1024;

/// Beside a session, where little is told: what a gateway has opened, or why it has not.
const BYTES_BESIDE_A_SESSION_MAXIMUM: usize = 256 * 1024;

/// What a line of ours counts, whatever it has. The longest offer is no longer.
const BYTES_OF_A_LINE_OF_OURS: usize = wire::offer::LONGEST;

/// What any other line counts beside its bytes, for each is shown by itself.
const BYTES_BESIDE_A_TEXT: usize = 64;

/// What one login has printed.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    lines_of_ours: usize,
    bytes: usize,
}

impl Printed {
    pub(crate) fn add(&mut self, lines: &[Line], messages: &[u8]) {
        let ends = messages.iter().filter(|&&byte| byte == b'\n').count();
        self.bytes += messages.len() + ends * BYTES_BESIDE_A_TEXT;
        for line in lines {
            if let Line::Text(text) = line {
                self.bytes += text.len() + BYTES_BESIDE_A_TEXT;
            } else {
                self.lines_of_ours += 1;
                self.bytes += BYTES_OF_A_LINE_OF_OURS;
            }
        }
    }

    /// Without a connect line.
    pub(crate) fn is_a_flood(&self) -> bool {
        self.lines_of_ours > LINES_OF_OURS_MAXIMUM || self.bytes > BYTES_MAXIMUM
    }

    /// Behind the connect line, or of a login that was to tell an offer only.
    pub(crate) fn is_a_flood_beside_a_session(&self) -> bool {
        self.bytes > BYTES_BESIDE_A_SESSION_MAXIMUM
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::transcript::Transcript;

    /// After how many turns of `text` it is one: before the connect line, and beside a session.
    fn floods(text: &str) -> [Option<usize>; 2] {
        let (mut printed, lines) = (Printed::default(), Transcript::default().read(text.as_bytes()));
        let mut floods = [None; 2];
        for turn in 1..=20_000 {
            printed.add(&lines, b"");
            let now = [printed.is_a_flood(), printed.is_a_flood_beside_a_session()];
            for (flood, is_one) in floods.iter_mut().zip(now) {
                *flood = flood.or_else(|| is_one.then_some(turn));
            }
        }
        floods
    }

    #[test]
    fn lines_of_ours_are_few() {
        for line in [
            "MOSHPUNCH OFFER 1 host=20.0.0.1:1\n",
            "MOSHPUNCH OFFER 9\n",
            "MOSH IP 20.0.0.1\n",
            "MOSH IP x\n",
        ] {
            assert_eq!(floods(line), [Some(LINES_OF_OURS_MAXIMUM + 1); 2], "{line}");
        }
    }

    #[test]
    fn text_is_much_before_the_connect_line_and_little_behind_it() {
        let kilobyte = format!("{}\n", "x".repeat(1024 - BYTES_BESIDE_A_TEXT));
        assert_eq!(floods(&kilobyte), [Some(BYTES_MAXIMUM / 1024 + 1), Some(257)]);
        assert_eq!(floods("y\n")[0], None, "20,000 short lines");
    }

    #[test]
    fn messages_count_as_text_does() {
        let mut printed = Printed::default();
        printed.add(&[], &vec![b'x'; BYTES_MAXIMUM]);
        assert!(!printed.is_a_flood());
        printed.add(&[], b"x");
        assert!(printed.is_a_flood());
        let mut printed = Printed::default();
        printed.add(&[], &vec![b'\n'; BYTES_MAXIMUM / BYTES_BESIDE_A_TEXT]);
        assert!(printed.is_a_flood());
    }
}
