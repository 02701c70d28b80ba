//! A relay, as TURN has it: an address for whoever asks, open to whoever is permitted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use path::SocketId;

pub(crate) const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 50));

#[derive(Debug)]
struct Allocation {
    socket: SocketId,
    place: SocketAddr,
    /// The laptop's network. What comes from another is none of this one's.
    attachment: u8,
    permitted: Vec<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) up: bool,
    /// Whether it gives an address to whoever asks.
    pub(crate) grants: bool,
    allocations: Vec<Allocation>,
    /// Since the beginning.
    pub(crate) asked: u64,
    pub(crate) passed_on: u64,
}

impl Relay {
    pub(crate) fn new() -> Self {
        Self { up: true, grants: true, allocations: Vec::new(), asked: 0, passed_on: 0 }
    }

    pub(crate) fn that_refuses() -> Self {
        Self { grants: false, ..Self::new() }
    }

    pub(crate) fn allocate(&mut self, socket: SocketId, attachment: u8) -> bool {
        self.asked += 1;
        let port = 49_000 + u16::try_from(self.asked).unwrap();
        let is_granted = self.up && self.grants;
        self.allocations.extend(is_granted.then(|| Allocation {
            socket,
            place: SocketAddr::new(RELAY, port),
            attachment,
            permitted: Vec::new(),
        }));
        is_granted
    }

    pub(crate) fn permit(&mut self, socket: SocketId, peer: IpAddr) {
        let allocation = self.allocations.iter_mut().find(|allocation| allocation.socket == socket);
        allocation.into_iter().for_each(|allocation| allocation.permitted.push(peer));
    }

    pub(crate) fn take_back(&mut self, socket: SocketId) {
        self.allocations.retain(|allocation| allocation.socket != socket);
    }

    pub(crate) fn given(&self) -> usize {
        self.allocations.len()
    }

    pub(crate) fn lose(&mut self) -> Vec<SocketId> {
        self.allocations.drain(..).map(|allocation| allocation.socket).collect()
    }

    pub(crate) fn place_of(&self, socket: SocketId) -> Option<SocketAddr> {
        self.allocations.iter().find(|allocation| allocation.socket == socket).map(|found| found.place)
    }

    pub(crate) fn passes_on(&mut self, by: SocketAddr, to: SocketAddr, attachment: u8) -> bool {
        let passes = self.reached(by, to, attachment).is_some();
        self.passed_on += u64::from(passes);
        passes
    }

    pub(crate) fn lets_in(&mut self, to: SocketAddr, from: SocketAddr, attachment: u8) -> Option<SocketId> {
        let reached = self.reached(to, from, attachment);
        self.passed_on += u64::from(reached.is_some());
        reached
    }

    fn reached(&self, place: SocketAddr, other: SocketAddr, attachment: u8) -> Option<SocketId> {
        let allocation = self.allocations.iter().find(|allocation| allocation.place == place)?;
        let is_there = self.up && allocation.attachment == attachment;
        (is_there && allocation.permitted.contains(&other.ip())).then_some(allocation.socket)
    }
}
