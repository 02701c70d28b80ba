//! A NAT by the axes of RFC 4787: mapping, filtering, expiry.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

impl Behaviour {
    pub(crate) const ALL: [Self; 3] =
        [Self::EndpointIndependent, Self::AddressDependent, Self::AddressAndPortDependent];

    fn alike(self, one: SocketAddr, other: SocketAddr) -> bool {
        match self {
            Self::EndpointIndependent => true,
            Self::AddressDependent => one.ip() == other.ip(),
            Self::AddressAndPortDependent => one == other,
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    inside: SocketAddr,
    outside: SocketAddr,
    contacted: Vec<SocketAddr>,
    used: Instant,
}

#[derive(Debug, Clone)]
pub(crate) struct Nat {
    pub(crate) mapping: Behaviour,
    pub(crate) filtering: Behaviour,
    pub(crate) expiry: Duration,
    pub(crate) external: IpAddr,
    entries: Vec<Entry>,
    next_port: u16,
}

impl Nat {
    pub(crate) fn new(mapping: Behaviour, filtering: Behaviour, external: &str) -> Self {
        let (external, expiry) = (external.parse().unwrap(), Duration::from_secs(30));
        Self { mapping, filtering, expiry, external, entries: Vec::new(), next_port: 20_000 }
    }

    /// Ports that no NAT before it has given.
    pub(crate) fn giving_from(self, next_port: u16) -> Self {
        Self { next_port, ..self }
    }

    pub(crate) fn outbound(&mut self, inside: SocketAddr, to: SocketAddr, now: Instant) -> SocketAddr {
        self.entries.retain(|entry| entry.used + self.expiry > now);
        let mapping = self.mapping;
        let fits = |entry: &&mut Entry| entry.inside == inside && mapping.alike(entry.contacted[0], to);
        if let Some(entry) = self.entries.iter_mut().find(fits) {
            entry.used = now;
            if !entry.contacted.contains(&to) {
                entry.contacted.push(to);
            }
            return entry.outside;
        }
        self.next_port += 1;
        let outside = SocketAddr::new(self.external, self.next_port);
        self.entries.push(Entry { inside, outside, contacted: vec![to], used: now });
        outside
    }

    pub(crate) fn inbound(&self, outside: SocketAddr, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let lives = |entry: &&Entry| entry.outside == outside && entry.used + self.expiry > now;
        let entry = self.entries.iter().find(lives)?;
        let passes = entry.contacted.iter().any(|&contacted| self.filtering.alike(contacted, from));
        passes.then_some(entry.inside)
    }
}
