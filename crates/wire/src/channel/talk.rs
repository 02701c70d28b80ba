//! One end of a channel.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::credit::{Credit, Due};
use super::frame::{Frame, Hello, Punched, Trouble};
use crate::offer::Offer;
use crate::opener::Cookie;

/// A line of what is said beside datagrams waits for the one before it to be written. A side that floods is answered no more
/// than this much.
const SAYINGS_MAXIMUM: usize = 64;

/// Some clouds drop TCP connections that are idle for four minutes.
const PING_INTERVAL: Duration = Duration::from_secs(60);

/// The shortest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of the channel's own round trip.
const ROUND_TRIPS_OF_PATIENCE: u32 = 4;

/// What the other side has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Hello(Hello),
    Offer(Offer),
    Trouble(Trouble),
    /// To be handed on at once.
    Datagram {
        tos: u8,
        datagram: Vec<u8>,
    },
    Punch {
        round: u32,
        cookie: Cookie,
        to: Vec<SocketAddr>,
        stun: Vec<SocketAddr>,
    },
    Punched {
        round: u32,
        outcome: Punched,
    },
    Bye {
        reason: Option<String>,
    },
}

#[derive(Debug, Clone, Copy)]
struct Pinged {
    number: u64,
    at: Instant,
}

/// The owner hands in what has come, takes lines by [`poll_line`](Self::poll_line) whenever the one before is written, and
/// calls [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Talk {
    credit: Credit,
    sayings: VecDeque<Frame>,
    /// The newest datagram that was heard, and is to be answered.
    heard: u64,
    answered: u64,
    pings: u64,
    pinged: Option<Pinged>,
    is_suspect: bool,
    ping_at: Instant,
    round_trip: Option<Duration>,
}

impl Talk {
    /// `window` is what the other side allows to be under way, in bytes of lines.
    #[must_use]
    pub fn new(window: usize, now: Instant) -> Self {
        Self {
            credit: Credit::new(window),
            sayings: VecDeque::new(),
            heard: 0,
            answered: 0,
            pings: 0,
            pinged: None,
            is_suspect: false,
            ping_at: now + PING_INTERVAL,
            round_trip: None,
        }
    }

    /// What the owner has to do about a line of the other side.
    pub fn handle(&mut self, frame: Frame, now: Instant) -> Option<Heard> {
        self.ping_at = self.ping_at.max(now + PING_INTERVAL);
        match frame {
            Frame::Hello(hello) => return Some(Heard::Hello(hello)),
            Frame::Offer(offer) => return Some(Heard::Offer(offer)),
            Frame::Trouble(trouble) => return Some(Heard::Trouble(trouble)),
            Frame::Punch { round, cookie, to, stun } => {
                return Some(Heard::Punch { round, cookie, to, stun });
            }
            Frame::Punched { round, outcome } => return Some(Heard::Punched { round, outcome }),
            Frame::Bye { reason } => return Some(Heard::Bye { reason }),
            Frame::Datagram { number, tos, datagram } => {
                self.heard = self.heard.max(number);
                return Some(Heard::Datagram { tos, datagram });
            }
            Frame::Delivered { number } => self.credit.delivered(number),
            Frame::Ping { number } => self.say(Frame::Pong { number }),
            Frame::Pong { number } => self.handle_pong(number, now),
        }
        None
    }

    /// A datagram of mosh; an older one may be dropped for it.
    pub fn carry(&mut self, tos: u8, datagram: &[u8], now: Instant) {
        self.credit.push(tos, datagram, now);
    }

    /// Not for datagrams. Of what is said in a flood the newest is lost.
    pub fn say(&mut self, frame: Frame) {
        if self.sayings.len() < SAYINGS_MAXIMUM {
            self.sayings.push_back(frame);
        }
    }

    /// Whether the other end is there; an answer that is overdue makes it suspect.
    pub fn ping(&mut self, now: Instant) {
        if self.pinged.is_none() {
            self.pings += 1;
            self.pinged = Some(Pinged { number: self.pings, at: now });
            self.say(Frame::Ping { number: self.pings });
        }
        self.ping_at = now + PING_INTERVAL;
    }

    /// The other end is most likely gone: suspect from now on, unless it answers.
    pub fn distrust(&mut self, now: Instant) {
        self.ping(now);
        self.is_suspect = true;
    }

    /// The next line to write, with its end.
    pub fn poll_line(&mut self, now: Instant) -> Option<String> {
        self.poll_frame(now).map(|frame| frame.encode())
    }

    fn poll_frame(&mut self, now: Instant) -> Option<Frame> {
        if self.answered < self.heard {
            self.answered = self.heard;
            return Some(Frame::Delivered { number: self.heard });
        }
        if let Some(saying) = self.sayings.pop_front() {
            return Some(saying);
        }
        let Due { number, tos, datagram } = self.credit.pop(now)?;
        Some(Frame::Datagram { number, tos, datagram })
    }

    /// Whether the answer to a ping is overdue, or hardly expected: the other end is slow, or gone.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.is_suspect
    }

    /// Whether a ping is unanswered, however short a time.
    #[must_use]
    pub fn awaits_answer(&self) -> bool {
        self.pinged.is_some()
    }

    /// Whether datagrams wait for the other side to answer.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.credit.is_used_up()
    }

    /// How many datagrams were too old, or too many.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.credit.dropped()
    }

    /// Of the channel, as the last ping found it.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// When to ping, or when the answer is overdue.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.pinged {
            Some(pinged) => (!self.is_suspect).then(|| pinged.at + self.patience()),
            None => Some(self.ping_at),
        }
    }

    /// A ping, if nothing was heard for long.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.pinged {
            Some(pinged) => self.is_suspect |= now >= pinged.at + self.patience(),
            None if now >= self.ping_at => self.ping(now),
            None => {}
        }
    }

    fn handle_pong(&mut self, number: u64, now: Instant) {
        if let Some(pinged) = self.pinged.take_if(|pinged| pinged.number == number) {
            self.round_trip = Some(now.saturating_duration_since(pinged.at));
            self.is_suspect = false;
        }
    }

    fn patience(&self) -> Duration {
        self.round_trip.map_or(PATIENCE, |round_trip| PATIENCE.max(round_trip * ROUND_TRIPS_OF_PATIENCE))
    }
}
