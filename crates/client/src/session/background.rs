//! Logins beside the session: the one that began it, and those of silences, as [`Occasions`] wants them. One whose host says
//! hello becomes one of the [`Channels`].

use std::mem::take;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use path::Kind;
use rustix::event::PollFd;
use rustix::process::Signal;
use wire::channel::SessionId;

use crate::addresses::look_up::LookUp;
use crate::children::child::Leaving;
use crate::configuration::Configuration;
use crate::login::Login;
use crate::login::transcript::Line;
use crate::login::{remote_command, ssh};
use crate::session::channels::{self, ChannelId, Channels};
use crate::session::listened::{Listened, Said};
use crate::session::occasions::{Connection, Ended, Occasions, Task};
use crate::session::punching::Round;

/// After which a silence has other causes.
const OF_A_CHANGE: Duration = Duration::from_secs(10);

/// A direct path is found by then in a network that has one: two round trips of a slow one.
const FOR_A_DIRECT_PATH: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Logins {
    configuration: Configuration,
    port: NonZeroU16,
    occasions: Occasions,
    login: Option<Listened>,
    /// Told to end; nobody listens to it any more, and how it ended is known.
    leaving: Option<(Login, Ended)>,
    channels: Channels,
    /// As the host calls it, if it knows channels.
    session: Option<SessionId>,
    /// The last one was, and no channel has come since.
    is_refused: bool,
    /// When the network changed last.
    changed: Option<Instant>,
    is_silent: bool,
    /// When a silence that a change of the network has not ended is one of that network.
    settles: Option<Instant>,
    /// Whether the login that began the session went by a master that was there, once that is known.
    first_shares: Option<bool>,
    /// A login is under way in place of that.
    is_moving_off: bool,
    /// For a master.
    search: Option<LookUp>,
    searches_before: Leaving,
    master: Option<String>,
}

impl Logins {
    /// `unread` came from the first with its connect line.
    pub(crate) fn beside(
        first: Login,
        unread: Vec<Line>,
        configuration: Configuration,
        port: NonZeroU16,
    ) -> Self {
        Self {
            channels: Channels::new(&configuration),
            login: Some(Listened::to(first, unread, configuration.wants_channel())),
            configuration,
            port,
            occasions: Occasions::beside_the_first(),
            leaving: None,
            session: None,
            is_refused: false,
            changed: None,
            is_silent: false,
            settles: None,
            first_shares: None,
            is_moving_off: false,
            search: None,
            searches_before: Leaving::default(),
            master: None,
        }
    }

    /// Whether the login that began the session may still tell something.
    pub(crate) fn has_first(&self) -> bool {
        self.occasions.is_beside_the_first()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines =
            [self.occasions.deadline(), self.channels.deadline(), self.leaves_master(), self.settles];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the host knows channels.
    pub(crate) fn has_channels(&self) -> bool {
        self.session.is_some()
    }

    /// What is known first, counts.
    pub(crate) fn first_shares(&mut self, a_master_is_there: bool) {
        self.first_shares.get_or_insert(a_master_is_there);
    }

    /// What has come by channels since the last [`read`](Self::read).
    pub(crate) fn poll_event(&mut self) -> Option<channels::Event> {
        self.channels.poll_event()
    }

    pub(crate) fn carry(&mut self, by: ChannelId, tos: u8, datagram: &[u8], now: Instant) {
        self.channels.carry(by, tos, datagram, now);
    }

    /// See [`Channels::punch`].
    pub(crate) fn punch(&mut self, round: &Round, now: Instant) -> bool {
        self.channels.punch(round, now)
    }

    pub(crate) fn moved(&mut self, to: Kind, now: Instant) {
        self.channels.moved(to, now);
    }

    /// Soon after a change of the network that is no accident: nothing answers where the host was.
    pub(crate) fn fell_silent(&mut self, now: Instant) {
        self.is_silent = true;
        self.channels.fell_silent(now);
        let is_soon = self.changed.is_some_and(|changed| now < changed + OF_A_CHANGE);
        if is_soon && self.settles.is_none() && !self.channels.any_is_sound() {
            self.log_in_early(now);
        }
    }

    /// By UDP.
    pub(crate) fn was_answered(&mut self) {
        self.is_silent = false;
        self.channels.was_answered();
    }

    /// Of where the host can be reached.
    pub(crate) fn told(&mut self, is_all: bool, now: Instant) {
        self.channels.told(is_all, now);
    }

    /// Whether the host is heard by no channel, since another login was refused.
    pub(crate) fn say_goodbye(self) -> bool {
        let is_cut_off = self.is_refused && !self.channels.is_over() && !self.channels.any_is_sound();
        self.channels.say_goodbye();
        is_cut_off
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let login = self.login.iter().flat_map(Listened::descriptors);
        let search = self.search.iter().flat_map(LookUp::descriptors);
        let leaving = self.leaving.iter().map(|(login, _)| login.end_of_program());
        let channels = self.channels.descriptors();
        login.chain(search).chain(leaving).chain(channels).chain(self.searches_before.descriptors())
    }

    /// A host that is heard tells of itself what there is to tell.
    pub(crate) fn alarm(&mut self, now: Instant) {
        self.channels.ping(now);
        if self.channels.any_is_sound() {
            return;
        }
        let task = self.occasions.alarm(now);
        self.perform(task, now);
    }

    /// Connections of before may be gone for sure.
    pub(crate) fn network_changed(&mut self, are_gone: bool, now: Instant) {
        self.master = None;
        (self.changed, self.settles) = (Some(now), Some(now + FOR_A_DIRECT_PATH));
        self.end_search();
        if are_gone {
            self.channels.distrust(now);
        } else {
            self.channels.ping(now);
        }
        let task = self.occasions.network_changed(now);
        self.perform(task, now);
        if self.has_lost_its_way() || are_gone && self.has_lost_its_hole() {
            self.log_in_early(now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.channels.handle_timeout(now);
        let has_settled = self.settles.take_if(|settles| *settles <= now).is_some();
        let is_still_silent = has_settled && self.is_silent && !self.channels.any_is_sound();
        if self.has_lost_its_way() || is_still_silent {
            self.log_in_early(now);
        } else if self.leaves_master().is_some_and(|due| due <= now) {
            self.first_shares = Some(false);
            self.is_moving_off = self.log_in_early(now);
        }
        let task = self.occasions.handle_timeout(now);
        self.perform(task, now);
    }

    pub(crate) fn read(&mut self, now: Instant) -> Vec<Said> {
        let mut said = self.channels.read(now);
        if self.channels.is_over() {
            let task = self.occasions.are_over(now);
            self.perform(task, now);
        }
        said.extend(self.read_login(now));
        said
    }

    fn read_login(&mut self, now: Instant) -> Option<Said> {
        self.look_for_master();
        if let Some((_, how)) = self.leaving.take_if(|(login, _)| login.program().ended().is_some()) {
            let task = self.occasions.ended(how, now);
            self.perform(task, now);
        }
        let is_first = self.has_first();
        let listened = self.login.as_mut()?;
        let (mut said, status) = listened.read(now);
        let is_channel = listened.channel().is_some();
        let task = match status {
            Some(status) => {
                let how = listened.how_it_ended(status, ssh::ends_as_openssh(&self.configuration));
                tracing::debug!(?how, %status, "the login has ended");
                (self.login, self.is_moving_off) = (None, false);
                self.is_refused = how == Ended::Refused && self.session.is_some();
                self.occasions.ended(how, now)
            }
            None if listened.floods() || !is_first && listened.asks() => self.occasions.end(now),
            // This host begins a session with every login. That one ends of itself: nobody has its key.
            None if !is_first && said.lines.iter().any(|line| matches!(line, Line::Connect(_))) => {
                self.occasions.are_over(now)
            }
            None if is_channel => self.become_channel(&mut said, now),
            None => None,
        };
        self.perform(task, now);
        if !is_first {
            said.messages.clear();
        }
        Some(said)
    }

    /// It is one of the logins no more, and may stay.
    fn become_channel(&mut self, said: &mut Said, now: Instant) -> Option<Task> {
        let session = self.login.as_ref()?.channel()?.session();
        if *self.session.get_or_insert(session) != session {
            return self.occasions.end(now);
        }
        if take(&mut self.is_moving_off) {
            self.channels.end_all(now);
        }
        self.is_refused = false;
        self.channels.add(self.login.take()?, take(&mut said.heard), now);
        self.occasions.ended(Ended::Served, now)
    }

    /// A master waits at its end for those who share it, and what is copied over it stands in the way of what is typed: a
    /// channel that is to stay makes a connection of its own.
    fn leaves_master(&self) -> Option<Instant> {
        let shares = self.first_shares == Some(true) && self.channels.any_is_sound();
        self.channels.stay().filter(|_| shares)
    }

    /// It goes over ssh, through a hole that is lost, as where a NAT has forgotten it, or nowhere; and no channel is heard.
    fn has_lost_its_way(&self) -> bool {
        let is_sought = self.session.is_some() && !self.channels.is_over();
        is_sought && self.channels.are_urgent() && !self.channels.any_is_sound()
    }

    /// It went through one in the network before, and no channel is heard by which the host could punch another.
    fn has_lost_its_hole(&self) -> bool {
        self.channels.are_urgent_after_a_change() && !self.channels.any_is_sound()
    }

    /// Of a host that knows channels.
    fn log_in_early(&mut self, now: Instant) -> bool {
        let task = self.session.and_then(|_| self.occasions.early(now));
        let is_begun = task.is_some();
        self.perform(task, now);
        is_begun
    }

    fn look_for_master(&mut self) {
        self.searches_before.reap();
        let Some(search) = &mut self.search else { return };
        let is_over = search.finished().is_some();
        if let Some(master) = search.master() {
            self.master = Some(master);
            self.occasions.found_master();
        } else if !is_over {
            return;
        }
        self.end_search();
    }

    fn end_search(&mut self) {
        let search = self.search.take().map(LookUp::into_program);
        search.into_iter().for_each(|program| self.searches_before.add(program));
    }

    fn perform(&mut self, task: Option<Task>, now: Instant) {
        match task {
            Some(Task::Start(connection)) => self.start(connection, now),
            Some(Task::End) => {
                tracing::debug!("the login is told to end");
                self.leaving = self.login.take().map(Listened::given_up);
                self.signal_leaving(Signal::TERM);
            }
            Some(Task::Kill) => self.signal_leaving(Signal::KILL),
            Some(Task::FindMaster) if ssh::speaks_openssh(&self.configuration) => {
                self.search = LookUp::start(&self.configuration).inspect_err(log).ok();
            }
            Some(Task::FindMaster) | None => {}
        }
    }

    fn start(&mut self, connection: Connection, now: Instant) {
        tracing::debug!(?connection, "logging in again");
        match self.login_by(connection) {
            Ok(login) => self.login = Some(Listened::to(login, Vec::new(), self.session.is_some())),
            Err(error) => {
                log(&error);
                self.occasions.ended(Ended::Failed, now);
            }
        }
    }

    fn login_by(&self, connection: Connection) -> Result<Login> {
        let master = match connection {
            Connection::Own => None,
            Connection::Master => Some(self.master.as_deref().context("a master was found")?),
        };
        let server = self.configuration.server.as_deref();
        let command = remote_command::offer(server, self.port.get(), self.session);
        let words = ssh::unattended(&self.configuration, master, command);
        Login::unattended(&words, ssh::unattended_file(&self.configuration).as_deref())
    }

    fn signal_leaving(&mut self, signal: Signal) {
        self.leaving.iter_mut().for_each(|(login, _)| login.program().signal(signal));
    }
}

fn log(error: &anyhow::Error) {
    tracing::debug!(%error, "not asked again");
}
