//! The shell around the agent: sockets by their port, and what it was told.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use path::{Agent, Event, Family, Primed, Reply, SocketId, Transmit};

#[derive(Debug)]
pub(crate) struct Laptop {
    pub(crate) agent: Agent,
    socket_by_port: BTreeMap<u16, SocketId>,
    next_port: u16,
    pub(crate) alarms: usize,
    /// To be sent so that they die behind the laptop's own router.
    pub(crate) primes: Vec<(SocketId, SocketAddr)>,
    /// Rounds that the host is to be asked for.
    pub(crate) asked: Vec<(u32, SocketId)>,
    /// What the relay is to be asked for.
    pub(crate) to_allocate: Vec<SocketId>,
    pub(crate) to_permit: Vec<(SocketId, IpAddr)>,
    /// What it gave, perhaps.
    pub(crate) closed: Vec<SocketId>,
    /// For which the router here is to map a port.
    pub(crate) to_map: Option<SocketId>,
}

impl Laptop {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            agent: Agent::new(seed),
            socket_by_port: BTreeMap::new(),
            next_port: 40_000,
            alarms: 0,
            primes: Vec::new(),
            asked: Vec::new(),
            to_allocate: Vec::new(),
            to_permit: Vec::new(),
            closed: Vec::new(),
            to_map: None,
        }
    }

    /// Does what the agent wants, and returns whether mosh-client is to be nudged.
    pub(crate) fn obey(&mut self, now: Instant) -> bool {
        let mut nudged = false;
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Open { socket, .. } => {
                    self.next_port += 1;
                    self.socket_by_port.insert(self.next_port, socket);
                    self.agent.handle_opened(socket, now);
                }
                Event::Close { socket } => {
                    self.socket_by_port.retain(|_, open| *open != socket);
                    self.closed.push(socket);
                }
                Event::Moved { .. } => {}
                Event::Nudge => nudged = true,
                Event::Silent => self.alarms += 1,
                Event::Map { socket } => self.to_map = Some(socket),
                Event::Prime { socket, remote, primed: Primed::Router } => self.primes.push((socket, remote)),
                Event::Prime { primed: Primed::Machine, .. } => {}
                Event::Punch { round, v4, .. } => self.asked.extend(v4.map(|socket| (round, socket))),
                Event::Allocate { socket, .. } => {
                    self.next_port += 1;
                    self.socket_by_port.insert(self.next_port, socket);
                    self.to_allocate.push(socket);
                }
                Event::Permit { socket, peer } => self.to_permit.push((socket, peer)),
            }
        }
        nudged
    }

    /// The relay does not give it, or not any more.
    pub(crate) fn lose(&mut self, socket: SocketId, now: Instant) {
        self.socket_by_port.retain(|_, open| *open != socket);
        self.agent.handle_open_failed(socket, now);
    }

    pub(crate) fn transmits(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.agent.poll_transmit()).collect()
    }

    pub(crate) fn port_of(&self, wanted: SocketId) -> Option<u16> {
        self.socket_by_port.iter().find(|&(_, &socket)| socket == wanted).map(|(&port, _)| port)
    }

    pub(crate) fn receive(&mut self, port: u16, from: SocketAddr, reply: Reply, now: Instant) -> bool {
        let socket = self.socket_by_port.get(&port).copied();
        let path = socket.and_then(|socket| self.agent.way_between(socket, from));
        if let Some(path) = path {
            self.agent.handle_reply(path, reply, now);
        }
        path.is_some()
    }

    pub(crate) fn receive_opener(&mut self, port: u16, from: SocketAddr, now: Instant) {
        if let Some(&socket) = self.socket_by_port.get(&port) {
            self.agent.handle_opener(socket, from, now);
        }
    }

    pub(crate) fn sockets(&self) -> usize {
        self.socket_by_port.len()
    }
}

pub(crate) fn family(address: SocketAddr) -> Family {
    if address.is_ipv6() { Family::V6 } else { Family::V4 }
}
