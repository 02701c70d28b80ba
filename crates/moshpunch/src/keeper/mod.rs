//! One session's keeper: a loop around a mapper, the session's process and the link to the server command.

mod place;

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Result, bail};
use net::wait::wait;
use net::{MapperSockets, clock};
use portmap::cause::Cause;
use portmap::mapper::{Control, Event, External, Mapper, Mapping, Protocol, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::SEARCH_WINDOW;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{PidfdFlags, pidfd_open};

use self::place::Place;
use crate::configuration::DEFAULT_BUDGET;
use crate::mosh_server::ProcessIdentity;
use crate::saved_mapping::SavedMapping;
use crate::session::{Failure, FromKeeper, Link, Name, State, StateFile, ToKeeper};
use crate::signals;
use crate::{remembered, runtime_directory};

pub(crate) struct Keeper {
    name: Name,
    place: Place,
    mapper: Mapper,
    sockets: MapperSockets,
    signals: UnixStream,
    /// Until the server command has ended.
    link: Option<Link>,
    session: Option<Session>,
    state_file: Option<StateFile>,
    leaving: bool,
}

struct Session {
    identity: ProcessIdentity,
    process: OwnedFd,
}

impl Keeper {
    pub(crate) fn new(link: Link, begin: ToKeeper) -> Result<Self> {
        let ToKeeper::Begin { name, internal, gateway, internal_is_fixed, lease, budget, .. } = begin else {
            bail!("the first message is not the one that begins");
        };
        let settings = Settings {
            internal,
            gateway: Some(gateway),
            protocols: Protocol::ALL.to_vec(),
            remembered: remembered::recall(gateway),
            description: name.description.clone(),
            lease,
            search_window: search_window(budget),
            nonce: nonce()?,
            seed: getrandom::u64()?,
        };
        Ok(Self {
            name,
            place: Place::new(internal, gateway, internal_is_fixed),
            mapper: Mapper::new(settings, clock::now()),
            sockets: MapperSockets::open(internal, Some(gateway))?,
            signals: signals::of_the_end()?,
            link: Some(link),
            session: None,
            state_file: None,
            leaving: false,
        })
    }

    /// Until the mapping is released, or cannot be had.
    pub(crate) fn run(mut self) -> Result<()> {
        loop {
            // 1. Do what the mapper asks for.
            self.sockets.perform(&mut self.mapper, clock::now());
            // 2. Pass on what it tells.
            while let Some(event) = self.mapper.poll_event() {
                if self.handle_event(event) == Flow::End {
                    return self.state_file.map_or(Ok(()), StateFile::remove);
                }
            }
            // 3. Wait, once everything that changes the deadline is done.
            self.wait()?;
            // 4. Hand over what came in.
            self.sockets.receive(&mut self.mapper, clock::now());
            self.handle_link();
            self.handle_end_of_session();
            self.handle_move();
            // 5. Fire the timers.
            self.mapper.handle_timeout(clock::now());
        }
    }

    fn wait(&self) -> Result<()> {
        let deadline = self.mapper.poll_timeout().into_iter().chain(self.place.poll_timeout()).min();
        let mut descriptors = self.sockets.descriptors();
        descriptors.push(PollFd::new(&self.signals, PollFlags::IN));
        descriptors.extend(self.place.descriptor());
        descriptors.extend(self.link.as_ref().map(|link| PollFd::new(link, PollFlags::IN)));
        if let Some(session) = self.session.as_ref().filter(|_| !self.leaving) {
            descriptors.push(PollFd::from_borrowed_fd(session.process.as_fd(), PollFlags::IN));
        }
        Ok(wait(&mut descriptors, deadline)?)
    }

    fn handle_event(&mut self, event: Event) -> Flow {
        tracing::debug!(?event);
        match event {
            Event::Mapped(mapping) => {
                self.save(&mapping);
                if let Control::Upnp(control) = &mapping.record.control {
                    remembered::remember(control);
                }
                let external_port = mapping.external_port();
                self.tell(&FromKeeper::Mapped { external_port, caution: caution(&mapping) });
            }
            Event::Changed(mapping) | Event::Renewed(mapping) => self.save(&mapping),
            Event::Lost(_) => {}
            Event::Failed(cause) => {
                self.tell(&FromKeeper::NotMapped(Failure::from(&cause)));
                return Flow::End;
            }
            Event::Released { .. } => return Flow::End,
        }
        Flow::Continue
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
            ToKeeper::Map { process, port, first, last } => {
                let Some(session) = Session::watch(process) else { return self.leave() };
                self.session = Some(session);
                // A single port was the user's own choice, for the outside too.
                let external =
                    if first == last { External::Only(port) } else { External::Near(first..=last) };
                let wanted = Wanted { transport: Transport::Udp, internal_port: port, external };
                self.mapper.map(wanted, clock::now());
            }
            ToKeeper::Told { port } => self.mapper.insist(port, clock::now()),
        }
    }

    fn handle_end_of_session(&mut self) {
        let signalled = self.signals.read(&mut [0; 16]).is_ok();
        let ended = self.session.as_ref().is_some_and(|session| !session.identity.is_alive());
        if signalled || ended {
            self.leave();
        }
    }

    fn handle_move(&mut self) {
        let Some((internal, gateway)) = self.place.moved(clock::now()) else { return };
        tracing::info!(%internal, ?gateway, "moved");
        match self.sockets.reopen(internal, gateway) {
            Ok(()) => self.mapper.move_to(internal, gateway, clock::now()),
            Err(error) => tracing::debug!(%error, "the new address is gone again"),
        }
    }

    fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            self.mapper.release(clock::now());
        }
    }

    fn tell(&mut self, message: &FromKeeper) {
        if let Some(link) = &mut self.link
            && let Err(error) = link.send(message)
        {
            tracing::debug!(%error, "nobody to tell");
        }
    }

    /// Without the file the mapping is kept all the same; only a crash would leave it to its lease.
    fn save(&mut self, mapping: &Mapping) {
        let Some(session) = &self.session else { return };
        let saved = SavedMapping::new(mapping.internal.ip(), &mapping.record);
        let state = State::new(self.name.clone(), session.identity, saved);
        let result = match &mut self.state_file {
            Some(file) => file.replace(&state),
            None => runtime_directory::open()
                .and_then(|directory| StateFile::create(&directory, &state))
                .map(|file| self.state_file = Some(file)),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "state not saved");
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Flow {
    Continue,
    End,
}

impl Session {
    /// `None`: it has ended already.
    fn watch(identity: ProcessIdentity) -> Option<Self> {
        let process = pidfd_open(identity.pid()?, PidfdFlags::empty()).ok()?;
        identity.is_alive().then_some(Self { identity, process })
    }
}

fn nonce() -> Result<Nonce> {
    let mut nonce = Nonce([0; 12]);
    getrandom::fill(&mut nonce.0)?;
    Ok(nonce)
}

/// Who grants more time than usual has a router, or a network, that needs it. Half is left for the mapping.
fn search_window(budget: Duration) -> Duration {
    let usual = SEARCH_WINDOW.min(budget);
    if budget > DEFAULT_BUDGET { usual.max(budget / 2) } else { usual }
}

/// A mapping on a router that is itself behind a NAT may still work, where that one forwards everything.
fn caution(mapping: &Mapping) -> Option<Failure> {
    let gateway = mapping.record.control.gateway();
    Cause::of_external_address(gateway, mapping.external_address).as_ref().map(Failure::from)
}

impl From<&Cause> for Failure {
    fn from(cause: &Cause) -> Self {
        Self { cause: cause.to_string(), cure: cause.cure() }
    }
}
