//! The host's end of a channel, without I/O: what is said, what is done about what is heard, and when it is over.
//!
//! *Told*: who is here was said ([`Hello`]). *Serving*: the laptop has said something, too. *One way*: its input was at its
//! end before that, as where the user's configuration closes it, or nothing came for long; then it hears what the keeper finds, as one that asked for no
//! channel. *Closing*: why this end goes is said. *Closed*.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::channel::credit::WINDOW;
use wire::channel::{Carrying, Frame, Heard, Hello, Lines, Punched, Side, Talk};
use wire::offer::Candidate;
use wire::opener::Cookie;

use super::telling::{Said, Telling};
use crate::punch::NoRound;
use crate::session::Answer;

/// Where a cut is not seen, nobody else ends this. A laptop that sleeps for longer comes back by another login.
const SILENCE_MAXIMUM: Duration = Duration::from_secs(15 * 60);

/// A laptop that hears the hello says so at once. Whoever lets nothing through until then, as an ssh that goes into the
/// background does, never will.
const FIRST_WORD_MAXIMUM: Duration = Duration::from_secs(15);

/// For the last line to be taken.
const CLOSING_MAXIMUM: Duration = Duration::from_secs(2);

/// Why this end closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// mosh-server has ended.
    Ended,
    /// The session asked for is not here.
    Gone,
    /// The laptop has come by another login, and datagrams go there.
    Superseded,
    /// Nothing was heard for long.
    Idle,
}

/// What the owner has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Hand this to mosh-server.
    Deliver { tos: u8, datagram: Vec<u8> },
    /// The first was delivered: older channels are of no use any more.
    Supersede,
    /// Have the keeper send openers, and [tell](HostEnd::handle_punched) what came of it.
    Punch { round: u32, cookie: Cookie, to: Vec<SocketAddr>, stun: Vec<SocketAddr> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Told,
    Serving,
    OneWay,
    /// The reason, until it is said.
    Closing {
        reason: Option<Reason>,
        until: Instant,
    },
    Closed,
}

#[derive(Debug)]
pub(crate) struct HostEnd {
    phase: Phase,
    /// Until it is said.
    hello: Option<Hello>,
    carrying: Carrying,
    punches: bool,
    /// The round that the keeper was asked for.
    asked: Option<u32>,
    /// The last that it has answered. It may learn more.
    answered: Option<u32>,
    talk: Talk,
    lines: Lines,
    telling: Telling,
    has_delivered: bool,
    heard_at: Instant,
}

impl HostEnd {
    pub(crate) fn new(hello: Hello, telling: Telling, now: Instant) -> Self {
        Self {
            phase: Phase::Told,
            carrying: hello.carrying,
            punches: hello.punches,
            asked: None,
            answered: None,
            hello: Some(hello),
            talk: Talk::new(WINDOW, now),
            lines: Lines::default(),
            telling,
            has_delivered: false,
            heard_at: now,
        }
    }

    /// What has come from the laptop.
    pub(crate) fn handle_input(&mut self, bytes: &[u8], now: Instant) -> Vec<Act> {
        let lines = self.lines.read(bytes);
        let frames = lines.iter().filter_map(|line| Frame::parse(line, Side::Laptop));
        frames.flat_map(|frame| self.handle_frame(frame, now)).collect()
    }

    fn handle_frame(&mut self, frame: Frame, now: Instant) -> Vec<Act> {
        if !self.listens() {
            return Vec::new();
        }
        (self.phase, self.heard_at) = (Phase::Serving, now);
        match self.talk.handle(frame, now) {
            Some(Heard::Datagram { tos, datagram }) if self.carrying == Carrying::Offered => {
                let is_first = !std::mem::replace(&mut self.has_delivered, true);
                let supersede = is_first.then_some(Act::Supersede);
                [Act::Deliver { tos, datagram }].into_iter().chain(supersede).collect()
            }
            Some(Heard::Punch { round, cookie, to, stun }) => {
                let act = Act::Punch { round, cookie, to, stun };
                self.takes(round).then_some(act).into_iter().collect()
            }
            Some(Heard::Bye { .. }) => {
                self.phase = Phase::Closed;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// One after the other, so that a flood stops here.
    fn takes(&mut self, round: u32) -> bool {
        let taken = self.punches && self.asked.is_none();
        if taken {
            (self.asked, self.answered) = (Some(round), None);
        } else {
            let reason = if self.punches { NoRound::Busy } else { NoRound::Unable };
            self.answer(round, Err(reason));
        }
        taken
    }

    /// What came of the round that was asked for: from where openers come, as others see it.
    pub(crate) fn handle_punched(&mut self, round: u32, outcome: Result<Vec<SocketAddr>, NoRound>) {
        if self.asked.take_if(|asked| *asked == round).is_some() {
            self.answered = Some(round);
            self.answer(round, outcome);
        } else if self.answered == Some(round) && outcome.is_ok() {
            self.answer(round, outcome);
        }
    }

    fn answer(&mut self, round: u32, outcome: Result<Vec<SocketAddr>, NoRound>) {
        let outcome = match outcome {
            Ok(from) => Punched::Sent { from },
            Err(reason) => Punched::Refused { reason: reason.word().to_owned() },
        };
        self.talk.say(Frame::Punched { round, outcome });
    }

    /// The laptop says nothing any more.
    pub(crate) fn handle_end_of_input(&mut self) {
        self.phase = match self.phase {
            Phase::Told | Phase::OneWay => Phase::OneWay,
            Phase::Serving | Phase::Closing { .. } | Phase::Closed => Phase::Closed,
        };
    }

    /// Nobody reads what is said any more.
    pub(crate) fn handle_end_of_output(&mut self) {
        self.phase = Phase::Closed;
    }

    /// One that mosh-server has sent.
    pub(crate) fn handle_datagram(&mut self, tos: u8, datagram: &[u8], now: Instant) {
        if self.phase == Phase::Serving {
            self.talk.carry(tos, datagram, now);
        }
    }

    pub(crate) fn handle_answer(&mut self, answer: Answer, now: Instant) {
        self.telling.handle_answer(answer, now);
    }

    /// This host has them since a moment ago.
    pub(crate) fn handle_own_candidates(&mut self, candidates: Vec<Candidate>) {
        self.telling.offer(candidates);
    }

    pub(crate) fn handle_trouble(&mut self, trouble: report::Trouble) {
        self.telling.trouble(trouble);
    }

    pub(crate) fn handle_end_of_keeper(&mut self, error: &anyhow::Error) {
        self.telling.handle_end_of_keeper(error);
        self.punches = false;
        self.asked.take().into_iter().for_each(|round| self.answer(round, Err(NoRound::Unable)));
    }

    pub(crate) fn close(&mut self, reason: Reason, now: Instant) {
        if !matches!(self.phase, Phase::Closing { .. } | Phase::Closed) {
            self.phase = Phase::Closing { reason: Some(reason), until: now + CLOSING_MAXIMUM };
        }
    }

    /// Whether anything that the laptop may say is of use.
    pub(crate) fn listens(&self) -> bool {
        matches!(self.phase, Phase::Told | Phase::Serving)
    }

    /// The next line to write, with its end, once the one before is written.
    pub(crate) fn poll_line(&mut self, now: Instant) -> Option<String> {
        if let Phase::Closing { reason, .. } = &mut self.phase {
            return reason.take().map(Reason::bye);
        }
        if self.phase == Phase::Closed {
            return None;
        }
        let told = |telling: &mut Telling| telling.poll().map(Said::frame);
        let frame = self.hello.take().map(Frame::Hello).or_else(|| told(&mut self.telling));
        frame.map(|frame| frame.encode()).or_else(|| self.talk.poll_line(now))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Told | Phase::Serving => {
                let timeouts = [self.telling.poll_timeout(), self.talk.poll_timeout()];
                timeouts.into_iter().flatten().chain([self.silence_ends()]).min()
            }
            Phase::OneWay => self.telling.poll_timeout(),
            Phase::Closing { until, .. } => Some(until),
            Phase::Closed => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.telling.handle_timeout(now);
        if self.listens() {
            self.talk.handle_timeout(now);
            if now >= self.silence_ends() {
                self.handle_silence(now);
            }
        }
    }

    fn silence_ends(&self) -> Instant {
        self.heard_at + if self.phase == Phase::Told { FIRST_WORD_MAXIMUM } else { SILENCE_MAXIMUM }
    }

    fn handle_silence(&mut self, now: Instant) {
        match self.phase {
            Phase::Told => self.handle_end_of_input(),
            _ => self.close(Reason::Idle, now),
        }
    }

    /// Whether there is nothing left to do, given whether all lines of [`poll_line`](Self::poll_line) are written.
    pub(crate) fn is_over(&self, all_is_written: bool, now: Instant) -> bool {
        match self.phase {
            Phase::Told | Phase::Serving => false,
            Phase::OneWay => all_is_written && self.telling.is_complete(),
            Phase::Closing { reason, until } => (reason.is_none() && all_is_written) || now >= until,
            Phase::Closed => true,
        }
    }
}

impl Reason {
    /// The last line.
    pub(crate) fn bye(self) -> String {
        let word = match self {
            Self::Ended => "ended",
            Self::Gone => "gone",
            Self::Superseded => "superseded",
            Self::Idle => "idle",
        };
        Frame::Bye { reason: Some(word.to_owned()) }.encode()
    }
}
