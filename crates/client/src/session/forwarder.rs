//! One session's forwarder: a loop around a path agent, between mosh-client on loopback and the paths.
//!
//! Datagrams are passed on as they are, with their TOS byte.

mod punching;
mod relaying;

use std::net::{IpAddr, SocketAddr};
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::Result;
use net::changes::Changes;
use net::wait::wait_for;
use net::{NotSent, PathSockets, Received, clock, random};
use path::{Agent, Binding, Candidate, Event, Family, Route, SocketId, WayId};
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};
use wire::datagram::LONGEST;

use crate::addresses::reachable::shown;
use crate::configuration::Families;
use crate::session::asking::Asking;
use crate::session::channels::{self, ChannelId};
use crate::session::front::Front;
use crate::session::gate::Gate;
use crate::session::mosh_client::MoshClient;
use crate::session::named_server::NamedServer;
use crate::session::own_mapping::{Outside, OwnMappings};
use crate::session::punching::Punching;
use crate::session::relay::{Credentials, Refusal, Relays};
use crate::session::scout::{Failures, Scout};

/// A flood on one socket must not keep the loop from the others.
const DATAGRAMS_PER_TURN: usize = 64;

/// For `-v`: of a host that moves every day, the addresses of a fortnight.
const FINDS_MAXIMUM: usize = 32;

/// One byte more than mosh takes, so that what is too long is seen to be.
type Buffer = [u8; LONGEST + 1];

#[derive(Debug)]
pub(crate) struct Forwarder {
    agent: Agent,
    gate: Gate,
    front: Front,
    back: PathSockets,
    bindings: Vec<Binding>,
    /// Without it a move is noticed by the silence that it causes.
    changes: Option<Changes>,
    client: MoshClient,
    /// Where its newest datagram came from: it changes its port now and then.
    client_at: Option<SocketAddr>,
    scout: Scout,
    /// The ways of the channels that carry.
    carriers: Vec<(ChannelId, WayId)>,
    punching: Punching,
    own_mappings: OwnMappings,
    relays: Relays,
    /// The round that the host is not yet asked for.
    asking: Option<Asking>,
    /// As the agent counts them.
    silences: u64,
    finds: Vec<Find>,
    signals: Signals,
    newest: Vec<u8>,
    newest_tos: u8,
    buffer: Box<Buffer>,
}

/// What was learnt while the session ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Find {
    pub(crate) at: Instant,
    pub(crate) what: Found,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Candidates(Vec<Candidate>),
    /// By this network's router, to one of our sockets.
    Mapping {
        by: IpAddr,
        outside: Outside,
    },
    /// An address of the TURN server's.
    Relay {
        by: SocketAddr,
        place: SocketAddr,
    },
}

/// What is left of a session.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) agent: Agent,
    pub(crate) at: Instant,
    pub(crate) finds: Vec<Find>,
    pub(crate) failures: Failures,
    /// What the TURN server has refused last, by its address, or its name where it has none.
    pub(crate) relay: Option<(String, Refusal)>,
}

/// What a wait was ended by.
struct Ready {
    front: bool,
    /// Each of its sockets.
    back: Vec<bool>,
    relays: Vec<bool>,
    surroundings: bool,
}

impl Forwarder {
    pub(crate) fn new(
        gate: Gate,
        front: Front,
        families: Families,
        client: MoshClient,
        scout: Scout,
        credentials: Option<Credentials>,
        signals: Signals,
    ) -> Result<Self> {
        let allowed = [Family::V6, Family::V4].into_iter().filter(|&family| families.allow(family));
        Ok(Self {
            agent: Agent::new(random::u64()?),
            gate,
            front,
            back: PathSockets::default(),
            bindings: allowed.map(Binding::any).collect(),
            changes: Changes::open()
                .inspect_err(|error| tracing::debug!(%error, "changes go unnoticed"))
                .ok(),
            client,
            client_at: None,
            scout,
            carriers: Vec::new(),
            punching: Punching::default(),
            own_mappings: OwnMappings::default(),
            relays: Relays::new(credentials, LONGEST + 1, clock::now()),
            asking: None,
            silences: 0,
            finds: Vec::new(),
            signals,
            newest: Vec::with_capacity(LONGEST),
            newest_tos: 0,
            buffer: Box::new([0; LONGEST + 1]),
        })
    }

    /// Until mosh-client ends.
    pub(crate) fn run(mut self, candidates: &[Candidate]) -> Result<Ended> {
        self.agent.handle_candidates(candidates, clock::now());
        self.agent.handle_network(&self.bindings, clock::now());
        if self.relays.may_be_asked() {
            self.agent.handle_relay_offered(clock::now());
        }
        self.handle_found();
        loop {
            // 1. Do what the agent wants.
            self.obey();
            // 2. Wait, once everything that changes the deadline is done.
            let ready = self.wait()?;
            // 3. Pass on what has come, typing first, whose answer may come meanwhile.
            if ready.front {
                self.handle_client();
            }
            self.back.look_again(ready.back);
            self.relays.look_again(ready.relays);
            self.handle_server();
            // 4. Look around, unless a datagram was all.
            if ready.surroundings {
                self.handle_changes();
                self.handle_found();
                self.handle_signals();
                self.own_mappings.receive(clock::now());
                if let Some(status) = self.client.ended() {
                    return Ok(self.end(status));
                }
            }
            self.handle_channels();
            // 5. Fire the timers.
            let now = clock::now();
            self.agent.handle_timeout(now);
            self.scout.handle_timeout(now);
            self.own_mappings.handle_timeout(now);
            self.relays.handle_timeout(now);
            self.handle_mappings();
            self.handle_relays();
            self.ask_on();
            self.tell_scout(now);
        }
    }

    /// A router, a relay and the host have the same moment to answer.
    fn end(mut self, status: ExitStatus) -> Ended {
        let at = clock::now();
        self.own_mappings.give_back_all(at);
        self.relays.give_back_all(at);
        let named = self.scout.turn.as_ref().map(NamedServer::to_string);
        let failures = self.scout.say_goodbye();
        self.own_mappings.end();
        let relay = self.relays.end().and_then(|(by, refusal)| Some((by.map(shown).or(named)?, refusal)));
        Ended { status, agent: self.agent, at, finds: self.finds, failures, relay }
    }

    fn wait(&self) -> Result<Ready> {
        let now = clock::now();
        let of_changes = self.changes.as_ref().and_then(Changes::poll_timeout);
        let of_mappings = self.own_mappings.deadline();
        let of_questions = self.asking.as_ref().map(Asking::poll_timeout);
        let of_relays = self.relays.deadline();
        let deadlines = [
            self.agent.poll_timeout(),
            self.scout.deadline(),
            of_changes,
            of_mappings,
            of_questions,
            of_relays,
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let longest = deadline.map(|deadline| deadline.saturating_duration_since(now));
        let mut descriptors = vec![self.front.descriptor()];
        descriptors.extend(self.back.descriptors());
        let of_back = descriptors.len();
        descriptors.extend(self.relays.descriptors());
        let of_paths = descriptors.len();
        descriptors.push(PollFd::new(&self.signals, PollFlags::IN));
        descriptors.extend(self.client.descriptors());
        descriptors.extend(self.changes.as_ref().and_then(Changes::descriptor));
        descriptors.extend(self.scout.descriptors());
        descriptors.extend(self.own_mappings.descriptors());
        wait_for(&mut descriptors, longest)?;
        let is_ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        let change_is_due = of_changes.is_some_and(|due| due <= clock::now());
        Ok(Ready {
            front: is_ready(&descriptors[0]),
            back: descriptors[1..of_back].iter().map(is_ready).collect(),
            relays: descriptors[of_back..of_paths].iter().map(is_ready).collect(),
            surroundings: descriptors[of_paths..].iter().any(is_ready) || change_is_due,
        })
    }

    fn obey(&mut self) {
        loop {
            self.transmit();
            let Some(event) = self.agent.poll_event() else { return };
            tracing::debug!(?event);
            match event {
                Event::Open { socket, binding } => match self.back.open(socket, binding) {
                    Ok(()) => self.agent.handle_opened(socket, clock::now()),
                    Err(error) => {
                        tracing::debug!(?binding, %error, "no socket");
                        self.agent.handle_open_failed(socket, clock::now());
                    }
                },
                Event::Close { socket } => {
                    self.asking.take_if(|asking| asking.is_of(socket));
                    self.back.close(socket);
                    self.relays.give_back(socket, clock::now());
                    self.own_mappings.give_back(socket, clock::now());
                }
                Event::Allocate { socket, family } => self.allocate(socket, family),
                Event::Permit { socket, peer } => self.relays.permit(socket, peer, clock::now()),
                Event::Map { socket } => self.ask_for_mapping(socket),
                Event::Moved { to, kind, .. } => {
                    self.scout.moved(kind, clock::now());
                    self.use_relay(to, kind);
                }
                Event::Nudge => self.client.nudge(),
                Event::Silent => self.scout.search_again(clock::now()),
                Event::Prime { socket, remote, primed } => self.prime(socket, remote, primed),
                Event::Punch { round, v6, v4 } => self.ask_for_openers(round, v6, v4),
            }
        }
    }

    /// Sends the newest datagram of mosh-client wherever the agent wants it.
    fn transmit(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            match transmit.route {
                Route::Udp { socket, remote } => {
                    if let Err(NotSent::Unreachable) = self.send(socket, remote) {
                        self.agent.handle_unreachable(transmit.way, clock::now());
                    }
                }
                Route::Carried => self.carry(transmit.way),
            }
        }
    }

    fn send(&mut self, socket: SocketId, remote: SocketAddr) -> Result<(), NotSent> {
        match self.relays.has(socket) {
            true => self.relays.send(socket, remote, &self.newest, self.newest_tos),
            false => self.back.send(socket, remote, &self.newest, self.newest_tos),
        }
    }

    fn carry(&mut self, way: WayId) {
        if let Some((by, _)) = self.carriers.iter().find(|(_, carrier)| *carrier == way) {
            self.scout.carry(*by, self.newest_tos, &self.newest, clock::now());
        }
    }

    fn note(&mut self, what: Found, at: Instant) {
        if self.finds.len() < FINDS_MAXIMUM {
            self.finds.push(Find { at, what });
        }
    }

    fn handle_client(&mut self) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some(received) = self.front.receive(&mut *self.buffer) else { return };
            let datagram = &self.buffer[..received.length];
            let now = clock::now();
            if !self.gate.admits_to_server(datagram, now) {
                continue;
            }
            self.client_at = Some(received.from);
            self.newest.clear();
            self.newest.extend_from_slice(datagram);
            self.newest_tos = received.tos;
            self.agent.handle_outgoing(now);
            self.transmit();
        }
    }

    /// What comes directly and what comes by a relay have turns: a flood of one does not hide the other.
    fn receive(&mut self, turn: usize) -> Option<(SocketId, Received)> {
        let (back, relays, buffer) = (&mut self.back, &mut self.relays, &mut *self.buffer);
        match turn % 2 {
            0 => back.receive(buffer).or_else(|| relays.receive(buffer)),
            _ => relays.receive(buffer).or_else(|| back.receive(buffer)),
        }
    }

    fn handle_server(&mut self) {
        for turn in 0..DATAGRAMS_PER_TURN {
            let Some((socket, received)) = self.receive(turn) else { return };
            let datagram = &self.buffer[..received.length];
            let now = clock::now();
            let Some(reply) = self.gate.reply(datagram, now) else {
                if self.punching.is_opener(datagram) {
                    self.handle_opener(socket, received.from, now);
                } else if let Some(asking) = &mut self.asking {
                    asking.handle_datagram(socket, datagram, received.from);
                }
                continue;
            };
            self.hand_on(datagram, received.tos);
            let path: Option<WayId> = self.agent.way_between(socket, received.from);
            match path {
                Some(path) => self.agent.handle_reply(path, reply, now),
                None => self.agent.handle_stray_reply(reply, now),
            }
        }
    }

    fn handle_channels(&mut self) {
        while let Some(event) = self.scout.poll_event() {
            match event {
                channels::Event::Opened(channel) => {
                    self.carriers.push((channel, self.agent.handle_carrier(clock::now())));
                }
                channels::Event::Datagram { by, tos, datagram } => self.handle_carried(by, tos, &datagram),
                channels::Event::Closed(channel) => {
                    let closed = self.carriers.extract_if(.., |(carrier, _)| *carrier == channel);
                    closed.for_each(|(_, way)| self.agent.handle_carrier_gone(way, clock::now()));
                }
                channels::Event::PuncherCame => self.agent.handle_puncher(clock::now()),
                channels::Event::PunchersGone => self.agent.handle_puncher_gone(clock::now()),
                channels::Event::Punched { round, outcome } => self.handle_punched(round, &outcome),
                // It has been kept.
                channels::Event::Trouble(_) => {}
            }
        }
    }

    fn handle_carried(&mut self, by: ChannelId, tos: u8, datagram: &[u8]) {
        let now = clock::now();
        let Some(reply) = self.gate.reply(datagram, now) else { return };
        self.hand_on(datagram, tos);
        if let Some((_, way)) = self.carriers.iter().find(|(carrier, _)| *carrier == by) {
            self.agent.handle_reply(*way, reply, now);
        }
    }

    /// To mosh-client.
    fn hand_on(&self, datagram: &[u8], tos: u8) {
        if let Some(client) = self.client_at
            && let Err(error) = self.front.send(datagram, client, tos)
        {
            tracing::debug!(%error, "mosh-client is not there");
        }
    }

    /// A silence has begun, or is over.
    fn tell_scout(&mut self, now: Instant) {
        let silences = self.agent.counters().silences;
        if silences != self.silences {
            self.silences = silences;
            self.scout.fell_silent(now);
        }
        if self.agent.standing().is_by_udp() {
            self.scout.was_answered();
        }
    }

    fn handle_changes(&mut self) {
        let now = clock::now();
        if self.changes.as_mut().is_some_and(|changes| changes.any(now)) {
            tracing::debug!("the network changed");
            self.agent.handle_network(&self.bindings, now);
            self.scout.network_may_have_changed(now);
            self.own_mappings.network_may_have_changed();
        }
    }

    fn handle_found(&mut self) {
        let now = clock::now();
        let found = self.scout.found(now);
        if !found.is_empty() {
            tracing::debug!(?found);
            self.agent.handle_candidates(&found, now);
            self.note(Found::Candidates(found), now);
        }
    }

    fn handle_signals(&mut self) {
        if self.signals.have_come() {
            self.client.terminate();
        }
        self.client.handle_signals();
    }
}
