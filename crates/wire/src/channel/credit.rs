//! How much may be under way on a channel, so that what is shown never lags far behind.
//!
//! TCP keeps what it cannot send: whoever writes as fast as mosh draws gets an old screen. So lines of at most
//! [`WINDOW`] bytes may be unanswered by [`Delivered`](super::Frame::Delivered); behind them wait at most
//! [`WAITING_BYTES_MAXIMUM`], none for longer than [`WAITING_AGE_MAXIMUM`]. The oldest is dropped first, as a router that is
//! full should: mosh sends what changed since the last state that arrived, so the newest is worth most.
//!
//! Measured (mosh 1.4.0, a line of 32 kB/s, 60 kB/s offered): without it what arrives is 12 s old after 20 s and grows
//! older; with it 0.66 to 0.72 s.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// In bytes of lines.
pub const WINDOW: usize = 16 * 1024;

/// In bytes of lines.
pub const WAITING_BYTES_MAXIMUM: usize = 16 * 1024;

/// mosh itself has written off by then what was sent before (RTO, at most 1 s).
pub const WAITING_AGE_MAXIMUM: Duration = Duration::from_secs(1);

/// Beside the base64 of a datagram, in bytes: the marker, the verb, two numbers.
const LINE_BYTES_BESIDE: usize = 24;

#[derive(Debug)]
struct Waiting {
    since: Instant,
    tos: u8,
    datagram: Vec<u8>,
}

/// A datagram whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) number: u64,
    pub(super) tos: u8,
    pub(super) datagram: Vec<u8>,
}

/// One direction, at its sender.
#[derive(Debug)]
pub(super) struct Credit {
    window: usize,
    sent: u64,
    under_way: VecDeque<(u64, usize)>,
    waiting: VecDeque<Waiting>,
    dropped: u64,
}

impl Credit {
    /// `window` is what the other side allows; never more than ours is used.
    pub(super) fn new(window: usize) -> Self {
        let window = window.min(WINDOW);
        Self { window, sent: 0, under_way: VecDeque::new(), waiting: VecDeque::new(), dropped: 0 }
    }

    pub(super) fn push(&mut self, tos: u8, datagram: &[u8], now: Instant) {
        self.waiting.push_back(Waiting { since: now, tos, datagram: datagram.to_vec() });
        while bytes(self.waiting.iter().map(|waiting| waiting.datagram.len())) > WAITING_BYTES_MAXIMUM {
            self.drop_oldest();
        }
    }

    /// The next to send now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        let is_old = |waiting: &Waiting| now.saturating_duration_since(waiting.since) > WAITING_AGE_MAXIMUM;
        while self.waiting.front().is_some_and(is_old) {
            self.drop_oldest();
        }
        let length = line_bytes(self.waiting.front()?.datagram.len());
        if self.under_way() + length > self.window {
            return None;
        }
        let Waiting { tos, datagram, .. } = self.waiting.pop_front()?;
        self.sent += 1;
        self.under_way.push_back((self.sent, length));
        Some(Due { number: self.sent, tos, datagram })
    }

    /// What was never sent cannot have arrived.
    pub(super) fn delivered(&mut self, number: u64) {
        if number <= self.sent {
            self.under_way.retain(|&(sent, _)| sent > number);
        }
    }

    /// Whether anything waits for the other side.
    pub(super) fn is_used_up(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn under_way(&self) -> usize {
        self.under_way.iter().map(|(_, length)| length).sum()
    }

    fn drop_oldest(&mut self) {
        self.waiting.pop_front();
        self.dropped += 1;
    }
}

fn bytes(datagrams: impl Iterator<Item = usize>) -> usize {
    datagrams.map(line_bytes).sum()
}

fn line_bytes(datagram: usize) -> usize {
    LINE_BYTES_BESIDE + datagram.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    fn numbered(number: u8) -> Vec<u8> {
        vec![number; 1_200]
    }

    fn first_bytes(credit: &mut Credit, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| credit.pop(now)).map(|due| due.datagram[0]).collect()
    }

    #[test]
    fn no_more_is_under_way_than_the_window_until_it_is_delivered() {
        let (mut credit, now) = (Credit::new(WINDOW), start());
        let begun: Vec<_> = (0..20)
            .filter_map(|number| {
                credit.push(0, &numbered(number), now);
                credit.pop(now)
            })
            .collect();
        assert_eq!(begun.len(), WINDOW / line_bytes(1_200));
        assert!(credit.is_used_up());
        credit.delivered(3);
        assert_eq!(first_bytes(&mut credit, now).len(), 3);
        credit.delivered(2);
        credit.delivered(u64::MAX);
        assert_eq!(first_bytes(&mut credit, now), [], "neither an old answer nor a forged one gives credit");
    }

    #[test]
    fn the_newest_wins_when_there_is_no_room() {
        let (mut credit, now) = (Credit::new(WINDOW), start());
        let fits = WINDOW / line_bytes(1_200);
        (0..100).for_each(|number| {
            credit.push(0, &numbered(number), now);
        });
        let waited = first_bytes(&mut credit, now);
        assert_eq!(waited.last(), Some(&99));
        assert_eq!(waited.len(), fits);
        assert_eq!(credit.dropped(), 100 - u64::try_from(fits).unwrap());
    }

    #[test]
    fn what_has_waited_for_a_second_is_dropped() {
        let (mut credit, now) = (Credit::new(2_000), start());
        credit.push(0, &numbered(0), now);
        assert_eq!(first_bytes(&mut credit, now), [0]);
        credit.push(0, &numbered(1), now);
        let late = now + WAITING_AGE_MAXIMUM + Duration::from_millis(1);
        credit.push(0, &numbered(2), late);
        credit.delivered(1);
        assert_eq!(first_bytes(&mut credit, late), [2]);
    }

    #[test]
    fn a_side_that_allows_nothing_is_sent_nothing_and_one_that_allows_all_no_more_than_ours() {
        let now = start();
        let sent = |window: usize| {
            let mut credit = Credit::new(window);
            (0..9).for_each(|number| credit.push(0, &numbered(number), now));
            first_bytes(&mut credit, now).len()
        };
        assert_eq!(sent(0), 0);
        assert_eq!(sent(usize::MAX), sent(WINDOW));
    }
}
