//! One session's keeper: a loop around its mappings, the session's process and the link to the server command.

pub(crate) mod detached;
mod place;
mod saving;
mod upkeep;

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Result, bail};
use net::{Alarm, clock};
use portmap::mapper::Wanted;
use portmap::mapping::Transport;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{PidfdFlags, pidfd_open};

pub use self::detached::{WORD, run};
use programs::signals::Signals;

use self::saving::Saving;
use self::upkeep::{Consequences, Upkeep};
use crate::cause::Trouble;
use crate::mosh_server::{self, ProcessIdentity};
use crate::session::{Answer, FromKeeper, Kept, Link, Mapped, Name, Opening, State, ToKeeper};

pub(crate) struct Keeper {
    name: Name,
    /// Those that have not ended: an IPv4 mapping and an IPv6 pinhole at most.
    upkeeps: Vec<Upkeep>,
    signals: Signals,
    /// Until the server command has ended.
    link: Option<Link>,
    session: Option<Session>,
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
    identity: ProcessIdentity,
    process: OwnedFd,
}

impl Keeper {
    /// # Errors
    ///
    /// There is nothing to begin with.
    pub(crate) fn new(link: Link, begin: ToKeeper) -> Result<Self> {
        let ToKeeper::Begin { name, toward, lease, budget, .. } = begin else {
            bail!("the first message is not the one that begins");
        };
        let mut upkeeps = Vec::new();
        let mut trouble = None;
        for toward in &toward {
            match Upkeep::begin(toward, &name.description, lease, budget) {
                Ok(upkeep) => upkeeps.push(upkeep),
                Err(error) => {
                    tracing::debug!(?toward, %error, "not begun");
                    trouble.get_or_insert(error);
                }
            }
        }
        if let Some(trouble) = trouble.filter(|_| upkeeps.is_empty()) {
            return Err(trouble);
        }
        let signals = Signals::of_the_end()?;
        let link = Some(link);
        let (saving, alarm) = (Saving::new(), Alarm::new()?);
        Ok(Self {
            name,
            upkeeps,
            signals,
            link,
            session: None,
            is_heard: false,
            saving,
            elsewhere: Vec::new(),
            undeleted: Vec::new(),
            alarm,
            leaving: false,
        })
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
            if self.upkeeps.is_empty() {
                return self.end();
            }
            // 3. Wait, once everything that changes the deadline is done.
            self.wait()?;
            // 4. Hand over what came in.
            self.upkeeps.iter_mut().for_each(Upkeep::receive);
            self.handle_link();
            self.handle_end_of_session();
            self.handle_moves();
            // 5. Fire the timers.
            self.upkeeps.iter_mut().for_each(Upkeep::handle_timeout);
            if self.saving.is_due(clock::now()) {
                self.save();
            }
        }
    }

    fn wait(&self) -> Result<()> {
        let deadlines = self.upkeeps.iter().filter_map(Upkeep::poll_timeout);
        let deadline = deadlines.chain(self.saving.poll_timeout()).min();
        let mut descriptors: Vec<_> = self.upkeeps.iter().flat_map(Upkeep::descriptors).collect();
        descriptors.push(PollFd::new(&self.signals, PollFlags::IN));
        descriptors.extend(self.link.as_ref().map(|link| PollFd::new(link, PollFlags::IN)));
        if let Some(session) = self.session.as_ref().filter(|_| !self.leaving) {
            descriptors.push(PollFd::from_borrowed_fd(session.process.as_fd(), PollFlags::IN));
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
            self.undeleted.extend(upkeep.undeleted().cloned());
        }
        if !ended.is_empty() {
            self.save();
        }
        any
    }

    fn tell_what_is_heard(&mut self) {
        if self.is_heard || !self.upkeeps.iter().any(Upkeep::hears_a_gateway) {
            return;
        }
        self.is_heard = true;
        if let Some(link) = &mut self.link
            && let Err(error) = link.send(&FromKeeper::Hears)
        {
            tracing::debug!(%error, "nobody to tell");
        }
    }

    fn handle_moves(&mut self) {
        let have_moved: Vec<_> = self.upkeeps.iter_mut().map(Upkeep::has_moved).collect();
        if have_moved.contains(&true) {
            self.save();
        }
    }

    fn answer(&mut self, opening: Opening, outcome: Result<Mapped, Trouble>) {
        let more = self.upkeeps.iter().any(|upkeep| !upkeep.is_answered);
        if let Some(link) = &mut self.link
            && let Err(error) = link.send(&FromKeeper::Answer(Answer { opening, outcome, more }))
        {
            tracing::debug!(%error, "nobody to tell");
        }
    }

    fn handle_link(&mut self) {
        while let Some(link) = &mut self.link {
            match link.receive() {
                Ok(Some(message)) => self.handle_message(message),
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "the server command has ended");
                    self.link = None;
                    if self.session.is_none() {
                        self.leave();
                    }
                }
            }
        }
    }

    fn handle_message(&mut self, message: ToKeeper) {
        match message {
            ToKeeper::Begin { .. } => {}
            ToKeeper::Map { process, port, ports } => {
                let Some(session) = Session::watch(process) else { return self.leave() };
                self.session = Some(session);
                let external = mosh_server::external(port, ports);
                let wanted = Wanted { transport: Transport::Udp, internal_port: port, external };
                self.upkeeps.iter_mut().for_each(|upkeep| upkeep.map(wanted.clone()));
            }
            ToKeeper::Told { port } => self.upkeeps.iter_mut().for_each(|upkeep| upkeep.insist(port)),
        }
    }

    fn handle_end_of_session(&mut self) {
        let signalled = self.signals.have_come();
        let ended = self.session.as_ref().is_some_and(|session| !session.identity.is_alive());
        if signalled || ended {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
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
        let is_something = !mappings.is_empty() || !elsewhere.is_empty();
        is_something.then(|| State {
            name: self.name.clone(),
            process: session.identity,
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

impl Session {
    /// `None`: it has ended already.
    fn watch(identity: ProcessIdentity) -> Option<Self> {
        let process = pidfd_open(identity.pid()?, PidfdFlags::empty()).ok()?;
        identity.is_alive().then_some(Self { identity, process })
    }
}
