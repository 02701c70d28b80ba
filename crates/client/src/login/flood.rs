//! How much a login may print. A host that prints without end must not keep us busy, nor fill our memory.

use std::time::{Duration, Instant};

use wire::channel::Frame;

use crate::login::transcript::Line;

/// Before the connect line. A host that is no enemy prints four.
const LINES_OF_OURS_MAXIMUM: usize = 256;

/// Before the connect line. A long message of the day has some kilobytes, and `ssh -vvv` tells a hundred.
const BYTES_MAXIMUM: usize = 16 * 1024 * 1024;

/// Beside a session, where little is told: what a gateway has opened, or why it has not, whether anybody is there.
const TOLD_BESIDE_A_SESSION: Measure = Measure { maximum: 256 * 1024, forgotten_in_a_second: 256 };

/// Of the datagrams on a channel. mosh-server sends a screen 50 times a second at most; a large one, drawn anew each time, has
/// 20 kB.
const CARRIED_BESIDE_A_SESSION: Measure = Measure { maximum: 8_000_000, forgotten_in_a_second: 4_000_000 };

/// What a line of ours counts, whatever it has. The longest offer is no longer.
const BYTES_OF_A_LINE_OF_OURS: usize = wire::offer::LONGEST;

/// What any other line counts beside its bytes, for each is shown by itself.
const BYTES_BESIDE_A_TEXT: usize = 64;

/// What one login has printed before its connect line.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    lines_of_ours: usize,
    bytes: usize,
}

impl Printed {
    pub(crate) fn add(&mut self, lines: &[Line], messages: &[u8]) {
        self.lines_of_ours += lines.iter().filter(|line| !matches!(line, Line::Text(_))).count();
        self.bytes += lines.iter().map(bytes).sum::<usize>() + bytes_of_messages(messages);
    }

    pub(crate) fn is_a_flood(&self) -> bool {
        self.lines_of_ours > LINES_OF_OURS_MAXIMUM || self.bytes > BYTES_MAXIMUM
    }
}

/// Behind the connect line, or by a login that was to tell an offer only. A session may last for months: what was printed is
/// forgotten, slowly.
#[derive(Debug, Default)]
pub(crate) struct PrintedBeside {
    told: Level,
    carried: Level,
}

impl PrintedBeside {
    pub(crate) fn add(&mut self, lines: &[Line], messages: &[u8], now: Instant) {
        let (carried, told): (Vec<_>, Vec<_>) = lines.iter().partition(|line| is_of_datagrams(line));
        let sum = |lines: Vec<&Line>| lines.into_iter().map(bytes).sum::<usize>();
        self.told.add(sum(told) + bytes_of_messages(messages), &TOLD_BESIDE_A_SESSION, now);
        self.carried.add(sum(carried), &CARRIED_BESIDE_A_SESSION, now);
    }

    pub(crate) fn is_a_flood(&self) -> bool {
        self.told.is_over || self.carried.is_over
    }
}

#[derive(Debug)]
struct Measure {
    /// In bytes, as the next.
    maximum: u32,
    forgotten_in_a_second: u32,
}

#[derive(Debug, Default)]
struct Level {
    /// When all is forgotten.
    empty: Option<Instant>,
    is_over: bool,
}

impl Level {
    fn add(&mut self, bytes: usize, measure: &Measure, now: Instant) {
        let second = f64::from(measure.forgotten_in_a_second);
        let to_forget = |bytes: u32| Duration::from_secs_f64(f64::from(bytes) / second);
        let added = to_forget(u32::try_from(bytes).unwrap_or(u32::MAX));
        let empty = self.empty.map_or(now, |empty| empty.max(now)) + added;
        self.empty = Some(empty);
        self.is_over |= empty > now + to_forget(measure.maximum);
    }
}

fn is_of_datagrams(line: &Line) -> bool {
    matches!(line, Line::Channel(Frame::Datagram { .. } | Frame::Delivered { .. }))
}

fn bytes(line: &Line) -> usize {
    match line {
        Line::Text(text) => text.len() + BYTES_BESIDE_A_TEXT,
        _ => BYTES_OF_A_LINE_OF_OURS,
    }
}

fn bytes_of_messages(messages: &[u8]) -> usize {
    let ends = messages.iter().filter(|&&byte| byte == b'\n').count();
    messages.len() + ends * BYTES_BESIDE_A_TEXT
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;
    use crate::login::transcript::Transcript;

    /// After how many turns of `text` it is one: before the connect line, and beside a session, with so much time between.
    fn floods_with(text: &str, between: Duration) -> [Option<usize>; 2] {
        let lines = Transcript::default().read(text.as_bytes());
        let (mut printed, mut beside, begin) = (Printed::default(), PrintedBeside::default(), clock::now());
        let mut floods = [None; 2];
        for turn in 1..=20_000 {
            printed.add(&lines, b"");
            beside.add(&lines, b"", begin + between * u32::try_from(turn).unwrap());
            let now = [printed.is_a_flood(), beside.is_a_flood()];
            for (flood, is_one) in floods.iter_mut().zip(now) {
                *flood = flood.or_else(|| is_one.then_some(turn));
            }
        }
        floods
    }

    fn floods(text: &str) -> [Option<usize>; 2] {
        floods_with(text, Duration::ZERO)
    }

    #[test]
    fn lines_of_ours_are_few() {
        for line in [
            "MOSHPUNCH OFFER 1 host=20.0.0.1:1\n",
            "MOSHPUNCH OFFER 9\n",
            "MOSH IP 20.0.0.1\n",
            "MOSH IP x\n",
            "MOSHPUNCH PING 1\n",
            "MOSHPUNCH PONG 1\n",
            "MOSHPUNCH BYE\n",
            "MOSHPUNCH TROUBLE host mapping x\n",
            "MOSHPUNCH CHANNEL 1 session=00000001\n",
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
    fn datagrams_are_as_many_as_mosh_sends_and_no_more() {
        let datagram = &format!("MOSHPUNCH D 1 0 {}\n", "A".repeat(64));
        assert!(matches!(Transcript::default().read(datagram.as_bytes())[..], [Line::Channel(_)]));
        for line in [datagram, "MOSHPUNCH A 1\n"] {
            assert_eq!(floods_with(line, Duration::from_millis(1))[1], None, "{line}: a thousand a second");
            assert_eq!(floods(line)[1], Some(7_813), "{line}: without an end");
        }
    }

    #[test]
    fn whoever_tells_little_may_do_so_for_ever() {
        for line in ["MOSHPUNCH PONG 1\n", "MOSHPUNCH OFFER 1\n", "debug1: rekeying\n"] {
            assert_eq!(floods_with(line, Duration::from_secs(60))[1], None, "{line}");
        }
        assert_eq!(floods_with("x\n", Duration::from_millis(1))[1], Some(4049), "less than a byte each time");
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
