//! One session's keeper: a loop around its mappings, the session's process and the logins that are told of them.

pub(crate) mod detached;
mod logins;
mod place;
mod punching;
mod retry;
mod saving;
mod siblings;
mod traffic;
mod upkeep;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Result, bail};
use net::interfaces::{Attachment, source_toward};
use net::{Alarm, clock};
use portmap::mapper::Wanted;
use portmap::mapping::Transport;
use rustix::event::{PollFd, PollFlags};
use system::linux::BorrowedSocket;
use wire::opener::Cookie;

pub use self::detached::{WORD, run};
use programs::signals::Signals;

use self::logins::{Heard, Logins};
use self::punching::Punching;
use self::retry::Retry;
use self::saving::Saving;
use self::siblings::Asked;
use self::upkeep::{Consequences, Upkeep};
use crate::cause::{Cause, Trouble};
use crate::mosh_server::{self, Watched};
use crate::need::{self, Client};
use crate::punch::{NoRound, Origins};
use crate::session::{
    Answer, FromKeeper, Kept, Link, Listens, Mapped, Name, Opening, State, ToKeeper, Toward,
};
use crate::state::runtime_directory;

/// Of mappings. A file of state holds two hundred.
const UNDELETED_MAXIMUM: usize = 16;

pub(crate) struct Keeper {
    name: Name,
    /// Those that have not ended: an IPv4 mapping and an IPv6 pinhole at most.
    upkeeps: Vec<Upkeep>,
    signals: Signals,
    logins: Logins,
    session: Option<Session>,
    /// mosh-server's socket must not outlive it, or its port stays taken.
    punching: Option<Punching>,
    /// The gateway's address outside, as an upkeep that has ended knew it.
    outside: Option<IpAddr>,
    lease: Duration,
    budget: Duration,
    /// For a client that may need one later, the keeper stays as long as the session.
    retry: Option<Retry>,
    /// The server command knows that a gateway answers.
    is_heard: bool,
    saving: Saving,
    /// What those that have ended made where this host is no longer.
    elsewhere: Vec<Kept>,
    /// What they could not delete here.
    undeleted: Vec<Kept>,
    alarm: Alarm,
    leaving: bool,
}

struct Session {
    process: Watched,
    port: NonZeroU16,
    wanted: Wanted,
}

impl Keeper {
    /// # Errors
    ///
    /// There is nothing to begin with.
    pub(crate) fn new(link: Link, begin: ToKeeper) -> Result<Self> {
        let ToKeeper::Begin { name, toward, stays, lease, budget, .. } = begin else {
            bail!("the first message is not the one that begins");
        };
        let mut keeper = Self {
            name,
            upkeeps: Vec::new(),
            signals: Signals::of_the_end()?,
            logins: Logins::new(link),
            session: None,
            punching: None,
            outside: None,
            lease,
            budget,
            retry: stays.map(Retry::new),
            is_heard: false,
            saving: Saving::new(runtime_directory::open),
            elsewhere: Vec::new(),
            undeleted: Vec::new(),
            alarm: Alarm::new()?,
            leaving: false,
        };
        let begun: Vec<_> = toward.iter().map(|toward| keeper.begin(toward)).collect();
        match begun.into_iter().find_map(Result::err) {
            Some(error) if keeper.upkeeps.is_empty() && keeper.retry.is_none() => Err(error),
            _ => Ok(keeper),
        }
    }

    fn begin(&mut self, toward: &Toward) -> Result<()> {
        match Upkeep::begin(toward, &self.name.description, self.lease, self.budget) {
            Ok(mut upkeep) => {
                if upkeep.opening == Opening::Mapping {
                    self.outside = None;
                }
                self.session.iter().for_each(|session| upkeep.map(session.wanted.clone()));
                self.upkeeps.push(upkeep);
                Ok(())
            }
            Err(error) => {
                tracing::debug!(?toward, %error, "not begun");
                if let Some(retry) = &mut self.retry {
                    retry.later(clock::now());
                    self.answer(toward.opening(), Err(Cause::broken(&error).trouble()));
                }
                Err(error)
            }
        }
    }

    /// Until everything is released, or cannot be had.
    pub(crate) fn run(mut self) -> Result<()> {
        loop {
            // 1. Do what the mappers ask for.
            self.upkeeps.iter_mut().for_each(Upkeep::perform);
            // 2. Pass on what they tell. Once it is written down they may have more to ask for.
            self.tell_what_is_heard();
            if self.handle_events() {
                continue;
            }
            if self.upkeeps.is_empty() && (self.leaving || self.retry.is_none()) {
                return self.end();
            }
            // 3. Wait, once everything that changes the deadline is done.
            self.wait()?;
            // 4. Hand over what came in.
            self.upkeeps.iter_mut().for_each(Upkeep::receive);
            self.look_at_traffic();
            self.handle_logins();
            self.handle_answers();
            self.handle_end_of_session();
            self.handle_moves();
            self.look_again();
            // 5. Fire the timers.
            self.upkeeps.iter_mut().for_each(Upkeep::handle_timeout);
            self.punching.iter_mut().for_each(|punching| punching.handle_timeout(clock::now()));
            if self.saving.is_due(clock::now()) {
                self.save();
            }
        }
    }

    fn wait(&self) -> Result<()> {
        let deadlines = self.upkeeps.iter().filter_map(Upkeep::poll_timeout);
        let retry = self.retry.as_ref().filter(|_| !self.leaving);
        let retries = retry.and_then(Retry::poll_timeout);
        let now = clock::now();
        let openers = self.punching.as_ref().and_then(|punching| punching.poll_timeout(now));
        let deadline = deadlines.chain(self.saving.poll_timeout()).chain(retries).chain(openers).min();
        let mut descriptors: Vec<_> = self.upkeeps.iter().flat_map(Upkeep::descriptors).collect();
        descriptors.push(PollFd::new(&self.signals, PollFlags::IN));
        descriptors.extend(self.logins.descriptors());
        descriptors.extend(self.punching.iter().flat_map(|punching| punching.descriptors(now)));
        descriptors.extend(retry.and_then(Retry::descriptor));
        if let Some(session) = self.session.as_ref().filter(|_| !self.leaving) {
            descriptors.push(session.process.descriptor());
        }
        Ok(self.alarm.wait(&mut descriptors, deadline)?)
    }

    /// Whether there was any.
    fn handle_events(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.upkeeps.len() {
            while let Some(event) = self.upkeeps[index].poll_event() {
                any = true;
                let Consequences { is_state_new, answer } = self.upkeeps[index].handle_event(event);
                if is_state_new {
                    self.save();
                }
                if let Some(outcome) = answer {
                    self.answer(self.upkeeps[index].opening, outcome);
                }
            }
        }
        let ended: Vec<_> = self.upkeeps.extract_if(.., |upkeep| upkeep.has_ended()).collect();
        for upkeep in &ended {
            self.elsewhere.extend(upkeep.made_elsewhere());
            self.remember_undeleted(upkeep);
            if upkeep.opening == Opening::Mapping {
                self.outside = upkeep.outside();
            }
        }
        if !ended.is_empty() {
            self.retry.iter_mut().for_each(|retry| retry.later(clock::now()));
            self.save();
        }
        any
    }

    fn tell_what_is_heard(&mut self) {
        if self.is_heard || !self.upkeeps.iter().any(Upkeep::hears_a_gateway) {
            return;
        }
        self.is_heard = true;
        self.logins.tell(&FromKeeper::Hears);
    }

    /// What is asked for again is left behind again.
    fn remember_undeleted(&mut self, upkeep: &Upkeep) {
        for kept in upkeep.undeleted() {
            self.undeleted.retain(|before| before.mapping != kept.mapping);
            self.undeleted.push(kept.clone());
        }
        let too_many = self.undeleted.len().saturating_sub(UNDELETED_MAXIMUM);
        self.undeleted.drain(..too_many);
    }

    fn handle_moves(&mut self) {
        let have_moved: Vec<_> = self.upkeeps.iter_mut().map(Upkeep::has_moved).collect();
        if have_moved.contains(&true) {
            self.save();
        }
    }

    /// For what nobody keeps yet, where anything may have changed.
    fn look_again(&mut self) {
        let Some(retry) = self.retry.as_mut().filter(|_| !self.leaving) else { return };
        if !retry.is_due(clock::now()) {
            return;
        }
        let Listens { bind, ssh } = retry.listens.clone();
        let host = match Attachment::read() {
            Ok(host) => host,
            Err(error) => return tracing::debug!(%error),
        };
        for toward in need::all(Client::Roaming, &bind, ssh, &host) {
            if self.upkeeps.iter().all(|upkeep| upkeep.opening != toward.opening()) {
                let _told_and_tried_again = self.begin(&toward);
            }
        }
    }

    fn answer(&mut self, opening: Opening, outcome: Result<Mapped, Trouble>) {
        let more = self.upkeeps.iter().any(|upkeep| !upkeep.is_answered);
        self.logins.tell(&FromKeeper::Answer(Answer { opening, outcome, more }));
    }

    fn handle_logins(&mut self) {
        self.logins.accept(&self.known());
        for heard in self.logins.hear() {
            match heard {
                Heard::Message(message, descriptor) => self.handle_message(message, descriptor),
                Heard::Punch { by, round, cookie, to, stun } => {
                    let outcome = self.punch(cookie, &to);
                    if let (Ok(origins), Some(punching)) = (&outcome, &mut self.punching) {
                        punching.ask(Asked { by, round }, &stun, origins, clock::now());
                    }
                    self.logins.answer(by, &FromKeeper::Punched { round, outcome });
                }
                Heard::EndOfFirst if self.session.is_none() => self.leave(),
                Heard::EndOfFirst => {}
            }
        }
    }

    fn look_at_traffic(&mut self) {
        let now = clock::now();
        self.punching.iter_mut().for_each(|punching| punching.look_at_traffic(now));
    }

    fn handle_answers(&mut self) {
        if let Some((asked, origins)) = self.punching.as_mut().and_then(Punching::receive) {
            let punched = FromKeeper::Punched { round: asked.round, outcome: Ok(origins) };
            self.logins.answer(asked.by, &punched);
        }
    }

    /// For a later login.
    fn known(&self) -> Vec<FromKeeper> {
        let session = self.session.iter().map(|session| FromKeeper::Session {
            process: session.process.identity,
            port: session.port,
            punches: self.punching.is_some(),
            last_traffic: self.last_traffic(),
        });
        let opened = self.upkeeps.iter().filter_map(|upkeep| {
            let outcome = Ok(upkeep.mapped()?.clone());
            Some(FromKeeper::Answer(Answer { opening: upkeep.opening, outcome, more: false }))
        });
        session.chain(opened).collect()
    }

    /// By the clock of now, which may have been set since.
    fn last_traffic(&self) -> Option<u64> {
        let silence = self.punching.as_ref()?.without_traffic(clock::now())?;
        Some(clock::unix_seconds().saturating_sub(silence.as_secs()))
    }

    fn handle_message(&mut self, message: ToKeeper, descriptor: Option<OwnedFd>) {
        match message {
            ToKeeper::Begin { .. } | ToKeeper::Delivered | ToKeeper::Punch { .. } => {}
            ToKeeper::Map { process, port, ports } => {
                let Some(process) = Watched::new(process) else { return self.leave() };
                let external = mosh_server::external(port, ports);
                let wanted = Wanted { transport: Transport::Udp, internal_port: port, external };
                self.upkeeps.iter_mut().for_each(|upkeep| upkeep.map(wanted.clone()));
                self.session = Some(Session { process, port, wanted });
                self.let_later_logins_in();
            }
            ToKeeper::Lend => {
                let lent = descriptor.filter(|_| self.session.is_some() && !self.leaving);
                self.punching =
                    lent.and_then(BorrowedSocket::received).map(|socket| Punching::new(socket, clock::now()));
                self.save();
            }
            ToKeeper::Told { port } => self.upkeeps.iter_mut().for_each(|upkeep| upkeep.insist(port)),
        }
    }

    /// Where openers to these come from, which are under way then.
    fn punch(&mut self, cookie: Cookie, to: &[SocketAddr]) -> Result<Vec<SocketAddr>, NoRound> {
        let punching = self.punching.as_mut().ok_or(NoRound::Unable)?;
        punching.begin(cookie, to, clock::now())?;
        let mapping = self.upkeeps.iter().find(|upkeep| upkeep.opening == Opening::Mapping);
        let ssh = self.retry.as_ref().and_then(|retry| retry.listens.ssh);
        let origins = Origins {
            bound: punching.bound(),
            mapped: self.upkeeps.iter().filter_map(Upkeep::mapped).filter_map(Mapped::address).collect(),
            outside: mapping.and_then(Upkeep::outside).or(self.outside),
            sources: to.iter().filter_map(|target| source_toward(target.ip())).collect(),
            ssh: ssh.map(|ssh| ssh.server),
        };
        Ok(origins.list())
    }

    fn let_later_logins_in(&mut self) {
        if self.retry.is_none() {
            return;
        }
        self.save();
        if let Err(error) = self.logins.listen(&self.name.id) {
            let cause = Cause::NotListening(format!("{error:#}"));
            self.logins.tell(&FromKeeper::Trouble(cause.trouble()));
        }
    }

    fn handle_end_of_session(&mut self) {
        let signalled = self.signals.have_come();
        let ended = self.session.as_ref().is_some_and(|session| session.process.has_ended());
        if signalled || ended {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            self.punching = None;
            self.upkeeps.iter_mut().for_each(Upkeep::release);
        }
    }

    fn save(&mut self) {
        if let Some(state) = self.state() {
            self.saving.save(&state, clock::now());
        }
    }

    /// `None`: there is nothing to write down.
    fn state(&self) -> Option<State> {
        let session = self.session.as_ref()?;
        let recorded = self.upkeeps.iter().flat_map(Upkeep::recorded);
        let mappings: Vec<_> = recorded.chain(&self.undeleted).cloned().collect();
        let made_elsewhere = self.upkeeps.iter().flat_map(Upkeep::made_elsewhere);
        let elsewhere: Vec<_> = self.elsewhere.iter().cloned().chain(made_elsewhere).collect();
        let is_for_logins = self.retry.is_some() && !self.leaving;
        let is_something = is_for_logins || !mappings.is_empty() || !elsewhere.is_empty();
        is_something.then(|| State {
            name: self.name.clone(),
            process: session.process.identity,
            port: Some(session.port),
            punches: self.punching.is_some(),
            mappings,
            elsewhere,
        })
    }

    /// What only another address may delete is a later sweep's, once this host is there again.
    fn end(mut self) -> Result<()> {
        match self.state() {
            Some(state) => {
                self.saving.save(&state, clock::now());
                Ok(())
            }
            None => self.saving.remove(),
        }
    }
}
