//! The logins that have become channels: how long each is kept, and what comes by them.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use net::clock;
use net::wait::wait;
use path::Kind;
use rustix::event::PollFd;
use rustix::process::Signal;
use wire::channel::{Heard, Punched, Trouble};

use crate::configuration::Configuration;
use crate::session::channel::Channel;
use crate::session::listened::{Listened, Said};
use crate::session::need::Need;
use crate::session::punching::Round;

/// A host that does not hang up after a goodbye is not waited for, nor is an ssh that was told to end.
const TIME_TO_END: Duration = Duration::from_secs(5);

/// At the end of a session: three round trips of a slow network. Whoever is not gone by then is told to be.
const LONGEST_FAREWELL: Duration = Duration::from_millis(600);

/// Beside the one that is used, one that takes its place. More than that are of a host that says hello and nothing else.
const CHANNELS_MAXIMUM: usize = 2;

/// In the order in which they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelId(u32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It carries datagrams.
    Opened(ChannelId),
    Datagram {
        by: ChannelId,
        tos: u8,
        datagram: Vec<u8>,
    },
    Trouble(Trouble),
    /// It carries no more.
    Closed(ChannelId),
    /// There is one more that takes rounds of hole punching.
    PuncherCame,
    /// There is none any more that does.
    PunchersGone,
    /// The answer to a round.
    Punched {
        round: u32,
        outcome: Punched,
    },
}

#[derive(Debug)]
struct Open {
    id: ChannelId,
    listened: Listened,
    carries: bool,
    punches: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Present,
    /// Goodbye was said; when it is told to end.
    Leaving(Instant),
    /// When it is killed.
    Told(Instant),
    Killed,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Channels {
    /// Whether they may carry datagrams.
    carry: bool,
    /// Whether they may be asked for rounds.
    punch: bool,
    open: Vec<Open>,
    opened: u32,
    need: Need,
    events: VecDeque<Event>,
    is_over: bool,
}

impl Channels {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        Self {
            carry: configuration.carry,
            punch: configuration.punch,
            open: Vec::new(),
            opened: 0,
            need: Need::default(),
            events: VecDeque::new(),
            is_over: false,
        }
    }

    /// The login's host has said hello, and `heard` is what it has said since.
    pub(crate) fn add(&mut self, listened: Listened, heard: Vec<Heard>, now: Instant) {
        self.opened += 1;
        let id = ChannelId(self.opened);
        let carries = self.carry && listened.channel().is_some_and(Channel::carries);
        let punches = self.punch && listened.channel().is_some_and(Channel::punches);
        self.events.extend(carries.then_some(Event::Opened(id)));
        self.events.extend(punches.then_some(Event::PuncherCame));
        self.open.push(Open { id, listened, carries, punches, state: State::Present });
        self.hear(id, heard);
        let surplus = self.open.len().saturating_sub(CHANNELS_MAXIMUM);
        for at in 0..surplus {
            self.end(at, now);
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The lines beside; what came by the channels are [events](Self::poll_event).
    pub(crate) fn read(&mut self, now: Instant) -> Vec<Said> {
        let mut all = Vec::new();
        for at in 0..self.open.len() {
            let (mut said, status) = self.open[at].listened.read(now);
            self.hear(self.open[at].id, std::mem::take(&mut said.heard));
            let listened = &self.open[at].listened;
            self.is_over |= listened.channel().is_some_and(Channel::is_last);
            if status.is_some() || listened.floods() || listened.channel().is_some_and(Channel::is_ended) {
                self.end(at, now);
            }
            if let Some(status) = status {
                tracing::debug!(%status, "the channel has ended");
                self.open[at].state = State::Gone;
            }
            all.push(said);
        }
        self.open.retain(|open| open.state != State::Gone);
        all
    }

    pub(crate) fn carry(&mut self, by: ChannelId, tos: u8, datagram: &[u8], now: Instant) {
        let open = self.open.iter_mut().find(|open| open.id == by);
        if let Some(channel) = open.and_then(|open| open.listened.channel_mut()) {
            channel.carry(tos, datagram, now);
        }
    }

    /// Asks the newest that takes rounds, and is heard if one is. Whether there was one, and something to ask for.
    pub(crate) fn punch(&mut self, round: &Round, now: Instant) -> bool {
        let punchers = self.open.iter_mut().filter(|open| open.punches && open.state == State::Present);
        let punchers = punchers.filter_map(|open| open.listened.channel_mut());
        let puncher = punchers.max_by_key(|channel| !channel.is_suspect());
        puncher.is_some_and(|channel| channel.punch(round, now))
    }

    /// Whether anybody is there.
    pub(crate) fn ping(&mut self, now: Instant) {
        self.present_mut().for_each(|channel| channel.ping(now));
    }

    /// An address of this machine is gone, and with it what was connected there. Whose was another still answers.
    pub(crate) fn distrust(&mut self, now: Instant) {
        self.present_mut().for_each(|channel| channel.distrust(now));
    }

    /// When one of them is to stay.
    pub(crate) fn stay(&self) -> Option<Instant> {
        self.need.stays()
    }

    /// Whether the session has no other way.
    pub(crate) fn are_urgent(&self) -> bool {
        self.need.is_urgent()
    }

    /// Whether it has no other way once the network has changed.
    pub(crate) fn are_urgent_after_a_change(&self) -> bool {
        self.need.is_urgent_after_a_change()
    }

    /// Whether the host is heard, and so can tell what there is to tell.
    pub(crate) fn any_is_sound(&self) -> bool {
        self.present().any(|channel| !channel.is_suspect())
    }

    /// The host has no such session any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn moved(&mut self, to: Kind, now: Instant) {
        self.need.moved(to, now);
    }

    pub(crate) fn fell_silent(&mut self, now: Instant) {
        self.need.fell_silent(now);
        self.ping(now);
    }

    /// By UDP.
    pub(crate) fn was_answered(&mut self) {
        self.need.was_answered();
    }

    /// Of where the host can be reached.
    pub(crate) fn told(&mut self, is_all: bool, now: Instant) {
        self.need.told(is_all, now);
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.open.iter().flat_map(|open| open.listened.descriptors())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let leaving = self.open.iter().filter_map(|open| match open.state {
            State::Leaving(until) | State::Told(until) => Some(until),
            State::Present | State::Killed | State::Gone => None,
        });
        let of_need = self.need.ends().filter(|_| self.present().next().is_some());
        let channels = self.present().filter_map(Channel::deadline);
        leaving.chain(of_need).chain(self.need.deadline()).chain(channels).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.need.handle_timeout(now);
        if self.need.ends().is_some_and(|end| end <= now) {
            self.end_all(now);
        }
        for open in &mut self.open {
            open.listened.channel_mut().into_iter().for_each(|channel| channel.handle_timeout(now));
            open.make_go(now);
        }
    }

    pub(crate) fn end_all(&mut self, now: Instant) {
        for at in 0..self.open.len() {
            self.end(at, now);
        }
    }

    /// At the end of the session: nobody waits for it long, nor for a host that may be gone with a network, and what is
    /// dropped here is told to end.
    pub(crate) fn say_goodbye(mut self) {
        let deadline = clock::now() + LONGEST_FAREWELL;
        self.end_all(clock::now());
        let is_waited_for = |open: &Open| open.listened.channel().is_some_and(Channel::is_answered);
        while self.open.iter().any(is_waited_for) && clock::now() < deadline {
            if wait(&mut self.descriptors().collect::<Vec<_>>(), Some(deadline)).is_err() {
                return;
            }
            self.read(clock::now());
            self.handle_timeout(clock::now());
        }
    }

    fn hear(&mut self, by: ChannelId, heard: Vec<Heard>) {
        self.events.extend(heard.into_iter().filter_map(|heard| match heard {
            Heard::Datagram { tos, datagram } => Some(Event::Datagram { by, tos, datagram }),
            Heard::Trouble(trouble) => Some(Event::Trouble(trouble)),
            Heard::Punched { round, outcome } => Some(Event::Punched { round, outcome }),
            // An offer is a line like any other; a goodbye is seen by the channel; only a host is asked for a round.
            Heard::Hello(_) | Heard::Offer(_) | Heard::Punch { .. } | Heard::Bye { .. } => None,
        }));
    }

    fn end(&mut self, at: usize, now: Instant) {
        let open = &mut self.open[at];
        if open.state == State::Present {
            open.state = State::Leaving(now + TIME_TO_END);
            open.listened.channel_mut().into_iter().for_each(|channel| channel.end(now));
            let (closed, punches) = (open.carries.then_some(Event::Closed(open.id)), open.punches);
            self.events.extend(closed);
            if punches && !self.any_punches() {
                self.events.push_back(Event::PunchersGone);
            }
        }
    }

    fn any_punches(&self) -> bool {
        self.open.iter().any(|open| open.punches && open.state == State::Present)
    }

    fn present(&self) -> impl Iterator<Item = &Channel> {
        self.open
            .iter()
            .filter(|open| open.state == State::Present)
            .filter_map(|open| open.listened.channel())
    }

    fn present_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        let present = self.open.iter_mut().filter(|open| open.state == State::Present);
        present.filter_map(|open| open.listened.channel_mut())
    }
}

impl Open {
    /// What does not go of itself.
    fn make_go(&mut self, now: Instant) {
        match self.state {
            State::Leaving(until) if until <= now => {
                self.listened.signal(Signal::TERM);
                self.state = State::Told(now + TIME_TO_END);
            }
            State::Told(until) if until <= now => {
                self.listened.signal(Signal::KILL);
                self.state = State::Killed;
            }
            State::Present | State::Leaving(_) | State::Told(_) | State::Killed | State::Gone => {}
        }
    }
}
