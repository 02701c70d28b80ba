//! Frames on their way: what went in first comes out first, a delay later, and no faster than a rate.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// More than a second of 100 Mbit/s.
const MOST_FRAMES: usize = 10_000;

/// What a slow line keeps for later: as much as the routers at both ends of one often do.
const LONGEST_QUEUE: Duration = Duration::from_secs(2);

/// How fast frames go one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) delay: Duration,
    /// In bytes a second, where there is a limit.
    pub(crate) rate: Option<NonZeroU32>,
}

impl Pace {
    pub(crate) const AT_ONCE: Self = Self { delay: Duration::ZERO, rate: None };

    fn time_for(self, frame: &[u8]) -> Duration {
        let bytes = u32::try_from(frame.len()).expect("a frame has a few thousand bytes");
        self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) * bytes / rate.get())
    }
}

#[derive(Debug, Default)]
pub(crate) struct DelayLine {
    frames: VecDeque<(Instant, Vec<u8>)>,
    /// When the last frame that was taken in has left for the line, with its last byte.
    sent: Option<Instant>,
}

impl DelayLine {
    /// Takes a frame in. A full line loses it, as a full queue of a router does. A delay that has become shorter
    /// does not let a frame overtake those before it.
    pub(crate) fn push(&mut self, now: Instant, pace: Pace, frame: Vec<u8>) {
        let begins = self.sent.map_or(now, |sent| sent.max(now));
        if self.frames.len() >= MOST_FRAMES || begins - now > LONGEST_QUEUE {
            return;
        }
        let sent = begins + pace.time_for(&frame);
        self.sent = Some(sent);
        let before = self.frames.back().map_or(now, |(due, _)| *due);
        self.frames.push_back((before.max(sent + pace.delay), frame));
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
    const DELAYED: Pace = Pace { delay: DELAY, rate: None };

    fn slow(bytes_per_second: u32) -> Pace {
        Pace { delay: DELAY, rate: NonZeroU32::new(bytes_per_second) }
    }

    #[test]
    fn a_frame_comes_out_once_its_delay_has_passed() {
        let (mut line, start) = (DelayLine::default(), now());
        line.push(start, DELAYED, vec![1]);
        assert_eq!(line.next_due(), Some(start + DELAY));
        assert_eq!(line.pop_due(start + DELAY - Duration::from_nanos(1)), None);
        assert_eq!(line.pop_due(start + DELAY), Some(vec![1]));
        assert_eq!(line.pop_due(start + DELAY), None);
    }

    #[test]
    fn a_shorter_delay_lets_no_frame_overtake() {
        let (mut line, start) = (DelayLine::default(), now());
        line.push(start, DELAYED, vec![1]);
        line.push(start, Pace::AT_ONCE, vec![2]);
        assert_eq!(line.pop_due(start), None);
        assert_eq!(
            (line.pop_due(start + DELAY), line.pop_due(start + DELAY)),
            (Some(vec![1]), Some(vec![2]))
        );
    }

    #[test]
    fn a_full_line_loses_what_comes() {
        let (mut line, start) = (DelayLine::default(), now());
        (0..=MOST_FRAMES).for_each(|_| line.push(start, DELAYED, Vec::new()));
        let came_out = std::iter::from_fn(|| line.pop_due(start + DELAY)).count();
        assert_eq!(came_out, MOST_FRAMES);
    }

    #[test]
    fn a_slow_line_lets_out_as_many_bytes_as_its_rate_and_no_sooner() {
        let (mut line, start) = (DelayLine::default(), now());
        (0..3).for_each(|_| line.push(start, slow(1_000), vec![0; 500]));
        for halves in 1..=3 {
            let due = start + Duration::from_millis(500) * halves + DELAY;
            assert_eq!(line.next_due(), Some(due));
            line.pop_due(due).unwrap();
        }
        let later = start + Duration::from_secs(9);
        line.push(later, slow(1_000), vec![0; 500]);
        assert_eq!(line.next_due(), Some(later + Duration::from_millis(500) + DELAY), "it had rested");
    }

    #[test]
    fn a_slow_line_keeps_no_more_than_its_queue() {
        let (mut line, start) = (DelayLine::default(), now());
        (0..100).for_each(|_| line.push(start, slow(1_000), vec![0; 500]));
        let came_out = std::iter::from_fn(|| line.pop_due(start + Duration::from_secs(60))).count();
        assert_eq!(came_out, 5, "those that begin within two seconds");
    }
}
