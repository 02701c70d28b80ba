//! One end of a login's channel: what [`Talk`] has to say goes to the host's input, as far as that takes it.

use std::net::IpAddr;
use std::time::Instant;

use rustix::event::PollFd;
use wire::channel::{Carrying, Frame, Heard, Hello, SessionId, Talk};

use crate::login::input::Input;
use crate::session::punching::Round;

/// Of a goodbye: mosh-server is gone.
const SESSION_HAS_ENDED: &str = "ended";

#[derive(Debug)]
pub(crate) struct Channel {
    session: SessionId,
    carrying: Carrying,
    punches: bool,
    /// Where the host sees ssh come from.
    seen: Option<IpAddr>,
    talk: Talk,
    /// `None`: nobody reads it any more.
    input: Option<Input>,
    /// What is left of a line that was begun: the host takes no other before it has this one whole.
    rest: Vec<u8>,
    goodbye: Option<Frame>,
    is_ended: bool,
    is_last: bool,
}

impl Channel {
    /// Says at once that the host is heard: one that hears nothing goes.
    pub(crate) fn new(hello: &Hello, input: Input, now: Instant) -> Self {
        let mut talk = Talk::new(hello.window, now);
        talk.say(Frame::Delivered { number: 0 });
        let mut channel = Self {
            session: hello.session,
            carrying: hello.carrying,
            punches: hello.punches,
            seen: hello.seen,
            talk,
            input: Some(input),
            rest: Vec::new(),
            goodbye: None,
            is_ended: false,
            is_last: false,
        };
        channel.write(now);
        channel
    }

    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    pub(crate) fn carries(&self) -> bool {
        self.carrying == Carrying::Offered && !self.is_ended
    }

    /// Whether it takes rounds of hole punching.
    pub(crate) fn punches(&self) -> bool {
        self.punches && !self.is_ended
    }

    pub(crate) fn handle(&mut self, frame: Frame, now: Instant) -> Option<Heard> {
        let heard = self.talk.handle(frame, now);
        if let Some(Heard::Bye { reason }) = &heard {
            self.is_ended = true;
            self.is_last = reason.as_deref() == Some(SESSION_HAS_ENDED);
        }
        self.write(now);
        heard
    }

    pub(crate) fn carry(&mut self, tos: u8, datagram: &[u8], now: Instant) {
        self.talk.carry(tos, datagram, now);
        self.write(now);
    }

    /// Whether there was something to ask for.
    pub(crate) fn punch(&mut self, round: &Round, now: Instant) -> bool {
        let Some(frame) = round.frame(self.seen) else { return false };
        self.talk.say(frame);
        self.write(now);
        true
    }

    /// Whether anybody is there.
    pub(crate) fn ping(&mut self, now: Instant) {
        self.talk.ping(now);
        self.write(now);
    }

    /// What it went by is gone: nothing is expected of it any more.
    pub(crate) fn distrust(&mut self, now: Instant) {
        self.talk.distrust(now);
        self.write(now);
    }

    /// Whether the answer to that is overdue.
    pub(crate) fn is_suspect(&self) -> bool {
        self.talk.is_suspect() || self.input.is_none()
    }

    /// Whether it is known that somebody is there, for nothing that was asked is unanswered.
    pub(crate) fn is_answered(&self) -> bool {
        !self.talk.awaits_answer() && self.input.is_some()
    }

    /// The host hangs up then.
    pub(crate) fn end(&mut self, now: Instant) {
        if !self.is_ended {
            (self.is_ended, self.goodbye) = (true, Some(Frame::Bye { reason: None }));
            self.write(now);
        }
    }

    /// The host has said goodbye since there is no session any more.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    /// One of the two has said goodbye.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.talk.poll_timeout().filter(|_| !self.is_ended)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if !self.is_ended {
            self.talk.handle_timeout(now);
        }
        self.write(now);
    }

    /// Can be written to again.
    pub(crate) fn room(&self) -> Option<PollFd<'_>> {
        self.input.as_ref().filter(|_| !self.rest.is_empty()).map(Input::room)
    }

    fn write(&mut self, now: Instant) {
        loop {
            if self.rest.is_empty() {
                self.rest = self.next_line(now).unwrap_or_default().into_bytes();
            }
            let Some(input) = self.input.as_mut().filter(|_| !self.rest.is_empty()) else { return };
            match input.write(&self.rest) {
                Ok(0) => return,
                Ok(written) => drop(self.rest.drain(..written)),
                Err(error) => {
                    tracing::debug!(%error, "the channel takes nothing any more");
                    self.input = None;
                }
            }
        }
    }

    /// Behind a goodbye comes nothing.
    fn next_line(&mut self, now: Instant) -> Option<String> {
        match self.is_ended {
            true => self.goodbye.take().map(|goodbye| goodbye.encode()),
            false => self.talk.poll_line(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use net::clock;
    use net::wait::wait;

    use super::*;
    use crate::login::Login;
    use crate::login::transcript::Line;

    fn hello() -> Hello {
        let line = b"MOSHPUNCH CHANNEL 1 session=00000001 window=16384 carry";
        let Some(Frame::Hello(hello)) = Frame::parse(line, wire::channel::Side::Host) else {
            panic!("a hello")
        };
        hello
    }

    /// To a login that says what is written to it.
    fn channel() -> (Channel, Login) {
        let mut login = Login::that_goes_on();
        let input = login.take_input().unwrap();
        let channel = Channel::new(&hello(), input, clock::now());
        assert_eq!(said(&mut login), [Frame::Delivered { number: 0 }]);
        (channel, login)
    }

    fn said(login: &mut Login) -> Vec<Frame> {
        loop {
            let lines = login.lines(false);
            if !lines.is_empty() {
                let frame = |line| match line {
                    Line::Channel(frame) => frame,
                    line => panic!("{line:?}"),
                };
                return lines.into_iter().map(frame).collect();
            }
            wait(&mut login.descriptors().collect::<Vec<_>>(), None).unwrap();
        }
    }

    #[test]
    fn what_is_carried_goes_to_the_host_and_behind_a_goodbye_nothing_does() {
        let ((mut channel, mut login), now) = (channel(), clock::now());
        let datagram = vec![7; 64];
        channel.carry(2, &datagram, now);
        assert_eq!(said(&mut login), [Frame::Datagram { number: 1, tos: 2, datagram }]);
        channel.end(now);
        channel.carry(2, &[7; 64], now);
        channel.end(now);
        assert_eq!(said(&mut login), [Frame::Bye { reason: None }]);
        assert!(channel.is_ended() && !channel.carries() && channel.deadline().is_none());
    }

    #[test]
    fn an_answer_is_said_at_once() {
        let ((mut channel, mut login), now) = (channel(), clock::now());
        let datagram = vec![7; 64];
        let frame = Frame::Datagram { number: 9, tos: 1, datagram: datagram.clone() };
        assert_eq!(channel.handle(frame, now), Some(Heard::Datagram { tos: 1, datagram }));
        assert_eq!(said(&mut login), [Frame::Delivered { number: 9 }]);
    }

    #[test]
    fn only_the_end_of_the_session_is_the_last_goodbye() {
        for (reason, expected) in [(Some("ended"), true), (Some("superseded"), false), (None, false)] {
            let ((mut channel, _login), now) = (channel(), clock::now());
            channel.handle(Frame::Bye { reason: reason.map(str::to_owned) }, now);
            assert_eq!((channel.is_ended(), channel.is_last()), (true, expected), "{reason:?}");
        }
    }

    /// What stops reading, as ssh does in a network that is gone.
    #[test]
    fn a_line_that_was_begun_is_ended_before_the_goodbye() {
        let (ours, theirs) = system::OneWay::new().unwrap();
        let (mut channel, now) = (Channel::new(&hello(), Input::Pipe(ours), clock::now()), clock::now());
        let mut pings = 0;
        while channel.room().is_none() {
            pings += 1;
            channel.handle(Frame::Ping { number: pings }, now);
        }
        channel.end(now);
        let reader = std::os::unix::net::UnixStream::from(theirs);
        reader.set_nonblocking(true).unwrap();
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        while !channel.rest.is_empty() || channel.goodbye.is_some() {
            let length = std::io::Read::read(&mut &reader, &mut buffer).unwrap();
            read.extend_from_slice(&buffer[..length]);
            channel.handle_timeout(now);
        }
        while let Ok(length @ 1..) = std::io::Read::read(&mut &reader, &mut buffer) {
            read.extend_from_slice(&buffer[..length]);
        }
        let text = String::from_utf8(read).unwrap();
        let text = text.strip_prefix("MOSHPUNCH A 0\n").expect("that the host is heard");
        let pongs: String = (1..=pings).map(|number| format!("MOSHPUNCH PONG {number}\n")).collect();
        let (begun, goodbye) = text.split_at(text.len() - "MOSHPUNCH BYE\n".len());
        assert_eq!(goodbye, "MOSHPUNCH BYE\n");
        assert!(pongs.starts_with(begun) && begun.ends_with('\n'), "{begun}");
    }

    /// Of such a one nobody waits for the goodbye.
    #[test]
    fn what_was_asked_and_has_not_answered_may_be_gone() {
        let ((mut channel, mut login), now) = (channel(), clock::now());
        assert!(channel.is_answered());
        channel.ping(now);
        assert!(!channel.is_answered());
        let [Frame::Ping { number }] = said(&mut login)[..] else { panic!("a ping") };
        channel.handle(Frame::Pong { number: number + 1 }, now);
        assert!(!channel.is_answered(), "that is no answer");
        channel.handle(Frame::Pong { number }, now);
        assert!(channel.is_answered());
    }

    #[test]
    fn who_reads_no_more_is_suspect() {
        let (ours, theirs) = system::OneWay::new().unwrap();
        let (mut channel, now) = (Channel::new(&hello(), Input::Pipe(ours), clock::now()), clock::now());
        assert!(!channel.is_suspect() && channel.room().is_none());
        drop(theirs);
        channel.ping(now);
        assert!(channel.is_suspect() && channel.room().is_none());
    }
}
