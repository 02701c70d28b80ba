//! Frames on their way: what went in first comes out first, a delay later.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// More than a second of 100 Mbit/s.
const MOST_FRAMES: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct DelayLine {
    frames: VecDeque<(Instant, Vec<u8>)>,
}

impl DelayLine {
    /// Takes a frame in. A full line loses it, as a full queue of a router does. A delay that has become shorter
    /// does not let a frame overtake those before it.
    pub(crate) fn push(&mut self, now: Instant, delay: Duration, frame: Vec<u8>) {
        if self.frames.len() < MOST_FRAMES {
            let before = self.frames.back().map_or(now, |(due, _)| *due);
            self.frames.push_back((before.max(now + delay), frame));
        }
    }

    /// The next frame whose time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.next_due()? > now {
            return None;
        }
        self.frames.pop_front().map(|(_, frame)| frame)
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.frames.front().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::now;

    const DELAY: Duration = Duration::from_millis(50);

    #[test]
    fn a_frame_comes_out_once_its_delay_has_passed() {
        let (mut line, start) = (DelayLine::default(), now());
        line.push(start, DELAY, vec![1]);
        assert_eq!(line.next_due(), Some(start + DELAY));
        assert_eq!(line.pop_due(start + DELAY - Duration::from_nanos(1)), None);
        assert_eq!(line.pop_due(start + DELAY), Some(vec![1]));
        assert_eq!(line.pop_due(start + DELAY), None);
    }

    #[test]
    fn a_shorter_delay_lets_no_frame_overtake() {
        let (mut line, start) = (DelayLine::default(), now());
        line.push(start, DELAY, vec![1]);
        line.push(start, Duration::ZERO, vec![2]);
        assert_eq!(line.pop_due(start), None);
        assert_eq!(
            (line.pop_due(start + DELAY), line.pop_due(start + DELAY)),
            (Some(vec![1]), Some(vec![2]))
        );
    }

    #[test]
    fn a_full_line_loses_what_comes() {
        let (mut line, start) = (DelayLine::default(), now());
        (0..=MOST_FRAMES).for_each(|_| line.push(start, DELAY, Vec::new()));
        let came_out = std::iter::from_fn(|| line.pop_due(start + DELAY)).count();
        assert_eq!(came_out, MOST_FRAMES);
    }
}
