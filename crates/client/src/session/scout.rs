//! What finds candidates while the session runs: look-ups of the name, and what [`Logins`] tell.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use path::{Candidate, Kind};
use report::BEGINNING;
use rustix::event::PollFd;
use wire::channel::Trouble;
use wire::offer;

use crate::addresses::intake::Intake;
use crate::addresses::look_up::LookUp;
use crate::addresses::whereabouts::Offers;
use crate::children::child::Leaving;
use crate::configuration::Configuration;
use crate::login::transcript::{Line, Transcript};
use crate::login::{Login, ssh};
use crate::session::background::Logins;
use crate::session::channels::{self, ChannelId};
use crate::session::named_server::NamedServer;
use crate::session::network::Network;
use crate::session::punching::Round;
use crate::session::stun_servers::StunServers;

/// What the host tells of what failed; more than this is noise.
const NOTES_MAXIMUM: usize = 4;

/// The host waits for its router that long; half as much again is for a slow way there.
const LOGIN_OVERDUE: Duration = offer::PATIENCE.saturating_add(Duration::from_secs(5));

#[derive(Debug)]
pub(crate) struct Scout {
    configuration: Configuration,
    port: NonZeroU16,
    intake: Intake,
    offers: Offers,
    logins: Logins,
    /// When the login that began the session is stuck, whatever it still has to tell.
    overdue: Instant,
    messages: Transcript,
    network: Network,
    look_up: Option<LookUp>,
    pub(crate) stun: StunServers,
    pub(crate) turn: Option<NamedServer>,
    leaving: Leaving,
    failures: Failures,
}

/// What failed beside the session.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// On the host, in its own words, each once.
    pub(crate) notes: Vec<String>,
    /// The same, by a channel.
    pub(crate) troubles: Vec<Trouble>,
    /// The host is heard by no channel, and another login was refused.
    pub(crate) is_cut_off: bool,
    /// The host was asked for a channel, and has none to offer.
    pub(crate) has_no_channel: bool,
}

impl Scout {
    pub(crate) fn new(
        configuration: Configuration,
        port: NonZeroU16,
        intake: Intake,
        offers: Offers,
        (login, unread): (Login, Vec<Line>),
        look_up: Option<LookUp>,
        now: Instant,
    ) -> Self {
        let mut logins = Logins::beside(login, unread, configuration.clone(), port);
        logins.told(offers != Offers::Unfinished, now);
        let turn = configuration.turn.as_ref().filter(|_| configuration.punch);
        Self {
            stun: StunServers::new(&configuration.tell_where_we_are()),
            turn: turn.map(|server| NamedServer::new(&server.host, server.port)),
            logins,
            configuration,
            port,
            intake,
            offers,
            overdue: now + LOGIN_OVERDUE,
            messages: Transcript::default(),
            network: Network::read(),
            look_up,
            leaving: Leaving::default(),
            failures: Failures::default(),
        }
    }

    /// What has been found since the last call.
    pub(crate) fn found(&mut self, now: Instant) -> Vec<Candidate> {
        self.leaving.reap();
        self.stun.keep_up();
        self.turn.iter_mut().for_each(NamedServer::keep_up);
        let mut found = self.looked_up(now);
        for said in self.logins.read(now) {
            self.read_messages(&said.messages);
            found.extend(said.lines.into_iter().flat_map(|line| self.read(line, now)));
        }
        found
    }

    /// What has come by channels, once [`found`](Self::found) was called.
    pub(crate) fn poll_event(&mut self) -> Option<channels::Event> {
        loop {
            match self.logins.poll_event()? {
                channels::Event::Trouble(trouble) => self.add(trouble),
                event => return Some(event),
            }
        }
    }

    pub(crate) fn carry(&mut self, by: ChannelId, tos: u8, datagram: &[u8], now: Instant) {
        self.logins.carry(by, tos, datagram, now);
    }

    /// See [`Channels::punch`](channels::Channels::punch).
    pub(crate) fn punch(&mut self, round: &Round, now: Instant) -> bool {
        self.logins.punch(round, now)
    }

    /// From where the host says that its openers come, or from where they have: what may be sent to.
    pub(crate) fn openers_come_from(&mut self, addresses: &[SocketAddr], now: Instant) -> Vec<SocketAddr> {
        addresses.iter().filter_map(|&address| self.intake.opened(address, now)).collect()
    }

    /// The session goes by another path.
    pub(crate) fn moved(&mut self, to: Kind, now: Instant) {
        self.logins.moved(to, now);
    }

    /// An answer is overdue.
    pub(crate) fn fell_silent(&mut self, now: Instant) {
        self.logins.fell_silent(now);
    }

    /// By UDP.
    pub(crate) fn was_answered(&mut self) {
        self.logins.was_answered();
    }

    /// What failed on the host.
    pub(crate) fn say_goodbye(self) -> Failures {
        let is_asked = self.configuration.carry && !self.configuration.local;
        let has_no_channel = is_asked && !self.logins.has_channels();
        Failures { is_cut_off: self.logins.say_goodbye(), has_no_channel, ..self.failures }
    }

    /// Every path is silent: the host may have moved. What still runs since the last time is stuck in a network that is
    /// gone, and gives way; but not the login whose host still waits for its router.
    pub(crate) fn search_again(&mut self, now: Instant) {
        if self.configuration.local {
            return;
        }
        self.look_up_again();
        if self.offers != Offers::None && !self.is_told_more(now) {
            self.logins.alarm(now);
        }
    }

    /// It has refused, or does not answer: its name may lead elsewhere by the next time.
    pub(crate) fn look_up_turn_again(&mut self) {
        self.turn.iter_mut().for_each(|server| server.look_up_again(&mut self.leaving));
    }

    /// Not all that the kernel tells of is a change.
    pub(crate) fn network_may_have_changed(&mut self, now: Instant) {
        let network = Network::read();
        if network != self.network {
            tracing::debug!(?network, "another network");
            let are_gone = network.has_lost_an_address(&self.network);
            self.network = network;
            self.stun.look_up_again(&mut self.leaving);
            self.look_up_turn_again();
            self.logins.network_changed(are_gone, now);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.logins.deadline()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.logins.handle_timeout(now);
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let look_up = self.look_up.iter().flat_map(LookUp::descriptors);
        self.logins
            .descriptors()
            .chain(look_up)
            .chain(self.stun.descriptors())
            .chain(self.turn.iter().flat_map(NamedServer::descriptors))
            .chain(self.leaving.descriptors())
    }

    fn look_up_again(&mut self) {
        let former = self.look_up.take().map(LookUp::into_program);
        former.into_iter().for_each(|program| self.leaving.add(program));
        self.look_up = LookUp::start(&self.configuration).inspect_err(log).ok();
    }

    fn is_told_more(&self, now: Instant) -> bool {
        self.logins.has_first() && self.offers == Offers::Unfinished && now < self.overdue
    }

    fn looked_up(&mut self, now: Instant) -> Vec<Candidate> {
        let Some(look_up) = &mut self.look_up else { return Vec::new() };
        let Some(addresses) = look_up.finished() else { return Vec::new() };
        let shares = look_up.master().is_some() && ssh::may_share(&self.configuration);
        self.logins.first_shares(shares);
        self.look_up = None;
        self.intake.all_resolved(&addresses, self.port, now)
    }

    fn read(&mut self, line: Line, now: Instant) -> Vec<Candidate> {
        match &line {
            Line::Text(text) => tracing::debug!(text = ?String::from_utf8_lossy(text)),
            line => tracing::debug!(?line),
        }
        match line {
            Line::Offer(offer) => {
                self.offers.follow(&offer);
                self.logins.told(self.offers != Offers::Unfinished, now);
                self.intake.offered(&offer, now)
            }
            other => {
                self.note(other);
                Vec::new()
            }
        }
    }

    fn read_messages(&mut self, messages: &[u8]) {
        self.messages.read(messages).into_iter().for_each(|line| self.note(line));
    }

    /// Each cause once, however often the host is asked.
    fn note(&mut self, line: Line) {
        let Line::Text(text) = line else { return };
        let Some(note) = text.strip_prefix(BEGINNING.as_bytes()).map(String::from_utf8_lossy) else { return };
        tracing::debug!(?note);
        add_once(&mut self.failures.notes, note.into_owned());
    }

    fn add(&mut self, trouble: Trouble) {
        tracing::debug!(?trouble);
        add_once(&mut self.failures.troubles, trouble);
    }
}

fn add_once<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if all.len() < NOTES_MAXIMUM && !all.contains(&one) {
        all.push(one);
    }
}

fn log(error: &anyhow::Error) {
    tracing::debug!(%error, "not asked again");
}

#[cfg(test)]
mod tests {
    use net::clock;
    use wire::offer::Offer;

    use super::*;

    fn scout(offers: Offers, now: Instant) -> Scout {
        let configuration = Configuration::of("host");
        let (login, intake) = (Login::that_goes_on(), Intake::new(&configuration));
        Scout::new(configuration, NonZeroU16::MIN, intake, offers, (login, Vec::new()), None, now)
    }

    #[test]
    fn a_login_whose_host_waits_for_its_router_is_heard_until_it_is_overdue() {
        let now = clock::now();
        let scout = scout(Offers::Unfinished, now);
        assert!(scout.is_told_more(now + offer::PATIENCE));
        assert!(!scout.is_told_more(now + LOGIN_OVERDUE));
    }

    #[test]
    fn a_login_that_has_told_all_is_not_waited_for() {
        let now = clock::now();
        let mut scout = scout(Offers::Unfinished, now);
        scout.read(Line::Offer(Offer { candidates: Vec::new(), more: true }), now);
        assert!(scout.is_told_more(now));
        scout.read(Line::Offer(Offer::default()), now);
        assert!(!scout.is_told_more(now));
    }

    #[test]
    fn each_cause_is_kept_once_and_not_too_many_are() {
        let now = clock::now();
        let mut scout = scout(Offers::Complete, now);
        for number in [1, 1, 2, 3, 4, 5] {
            scout.read(Line::Text(format!("moshpunch: cause {number}").into()), now);
        }
        scout.read_messages(b"moshpunch: cause 1\nWelcome\n");
        assert_eq!(scout.failures.notes, ["cause 1", "cause 2", "cause 3", "cause 4"]);
    }
}
