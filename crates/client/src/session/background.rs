//! Logins beside the session: the one that began it, and those of silences, as [`Occasions`] wants them.

use std::num::NonZeroU16;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::event::PollFd;
use rustix::process::Signal;

use crate::addresses::look_up::LookUp;
use crate::children::child::{Leaving, Running};
use crate::configuration::Configuration;
use crate::login::Login;
use crate::login::{remote_command, ssh};
use crate::session::listened::{Listened, Said};
use crate::session::occasions::{Connection, Ended, Occasions, Task};

#[derive(Debug)]
pub(crate) struct Logins {
    configuration: Configuration,
    port: NonZeroU16,
    occasions: Occasions,
    login: Option<Listened>,
    /// Told to end; nobody listens to it any more, and how it ended is known.
    leaving: Option<(Running, Ended)>,
    /// For a master.
    search: Option<LookUp>,
    searches_before: Leaving,
    master: Option<String>,
}

impl Logins {
    pub(crate) fn beside(first: Login, configuration: Configuration, port: NonZeroU16) -> Self {
        Self {
            configuration,
            port,
            occasions: Occasions::beside_the_first(),
            login: Some(Listened::to(first)),
            leaving: None,
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
        self.occasions.deadline()
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let login = self.login.iter().flat_map(Listened::descriptors);
        let search = self.search.iter().flat_map(LookUp::descriptors);
        let leaving = self.leaving.iter().map(|(program, _)| program.end());
        login.chain(search).chain(leaving).chain(self.searches_before.descriptors())
    }

    pub(crate) fn alarm(&mut self, now: Instant) {
        let task = self.occasions.alarm(now);
        self.perform(task, now);
    }

    pub(crate) fn network_changed(&mut self, now: Instant) {
        self.master = None;
        self.end_search();
        let task = self.occasions.network_changed(now);
        self.perform(task, now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let task = self.occasions.handle_timeout(now);
        self.perform(task, now);
    }

    pub(crate) fn read(&mut self, now: Instant) -> Said {
        self.look_for_master();
        if let Some((_, how)) = self.leaving.take_if(|(program, _)| program.ended().is_some()) {
            let task = self.occasions.ended(how, now);
            self.perform(task, now);
        }
        let is_first = self.has_first();
        let Some(listened) = &mut self.login else { return Said::default() };
        let (mut said, status) = listened.read();
        let task = match status {
            Some(status) => {
                let how = listened.how_it_ended(status, ssh::ends_as_openssh(&self.configuration));
                tracing::debug!(?how, %status, "the login has ended");
                self.login = None;
                self.occasions.ended(how, now)
            }
            None if listened.floods() || !is_first && listened.asks() => self.occasions.end(now),
            None => None,
        };
        self.perform(task, now);
        if !is_first {
            said.messages.clear();
        }
        said
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
            Ok(login) => self.login = Some(Listened::to(login)),
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
        let command = remote_command::offer(self.port.get());
        let words = ssh::unattended(&self.configuration, master, command);
        Login::unattended(&words, ssh::unattended_file(&self.configuration).as_deref())
    }

    fn signal_leaving(&self, signal: Signal) {
        self.leaving.iter().for_each(|(program, _)| program.signal(signal));
    }
}

fn log(error: &anyhow::Error) {
    tracing::debug!(%error, "not asked again");
}
