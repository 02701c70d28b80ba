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

/// What came before anything went there, and was taken for the router's own.
#[derive(Debug, Clone)]
struct Kept {
    outside: SocketAddr,
    from: SocketAddr,
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
    /// What is inside is seen by its own port, if that is free.
    pub(crate) keeps_ports: bool,
    /// As Linux does that does not drop in INPUT: what comes too early is a connection, and its addresses and ports are taken.
    /// What goes out gets another port then, which its source keeps from then on, whomever it sends to.
    pub(crate) keeps_early: bool,
    kept: Vec<Kept>,
    /// It maps ports for whoever asks.
    maps: bool,
    /// What is mapped, by its port inside, which is the port outside as well.
    mapped: Vec<SocketAddr>,
}

impl Nat {
    pub(crate) fn new(mapping: Behaviour, filtering: Behaviour, external: &str) -> Self {
        let (external, expiry) = (external.parse().unwrap(), Duration::from_secs(30));
        Self {
            mapping,
            filtering,
            expiry,
            external,
            entries: Vec::new(),
            next_port: 20_000,
            keeps_ports: false,
            keeps_early: false,
            kept: Vec::new(),
            maps: false,
            mapped: Vec::new(),
        }
    }

    pub(crate) fn that_maps(self) -> Self {
        Self { maps: true, ..self }
    }

    /// Whether from now on whatever comes to that port outside goes to `inside`.
    pub(crate) fn map(&mut self, inside: SocketAddr) -> bool {
        self.mapped.extend(self.maps.then_some(inside));
        self.maps
    }

    /// Ports that no NAT before it has given.
    pub(crate) fn giving_from(self, next_port: u16) -> Self {
        Self { next_port, ..self }
    }

    pub(crate) fn outbound(&mut self, inside: SocketAddr, to: SocketAddr, now: Instant) -> SocketAddr {
        self.entries.retain(|entry| entry.used + self.expiry > now);
        self.kept.retain(|kept| kept.used + self.expiry > now);
        let is_taken = |outside| self.kept.iter().any(|kept| (kept.outside, kept.from) == (outside, to));
        let known = |entry: &Entry| entry.contacted.contains(&to);
        let alike = |entry: &Entry| self.mapping.alike(entry.contacted[0], to) && !is_taken(entry.outside);
        let known = self.entries.iter().position(|entry| entry.inside == inside && known(entry));
        let newest = || self.entries.iter().rposition(|entry| entry.inside == inside && alike(entry));
        if let Some(at) = known.or_else(newest) {
            let entry = &mut self.entries[at];
            entry.used = now;
            if !entry.contacted.contains(&to) {
                entry.contacted.push(to);
            }
            return entry.outside;
        }
        let own = SocketAddr::new(self.external, inside.port());
        self.next_port += 1;
        let given = SocketAddr::new(self.external, self.next_port);
        let outside = if self.keeps_ports && !is_taken(own) { own } else { given };
        self.entries.push(Entry { inside, outside, contacted: vec![to], used: now });
        outside
    }

    pub(crate) fn inbound(
        &mut self,
        outside: SocketAddr,
        from: SocketAddr,
        now: Instant,
    ) -> Option<SocketAddr> {
        self.kept.retain(|kept| kept.used + self.expiry > now);
        if let Some(kept) = self.kept.iter_mut().find(|kept| (kept.outside, kept.from) == (outside, from)) {
            kept.used = now;
            return None;
        }
        let inside = self.admitted(outside, from, now).or_else(|| self.led_inside(outside, from, now));
        if inside.is_none() && self.keeps_early {
            self.kept.push(Kept { outside, from, used: now });
        }
        inside
    }

    /// By the mapping, unless what goes there has another port already.
    fn led_inside(&mut self, outside: SocketAddr, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let leads_there = |inside: &&SocketAddr| SocketAddr::new(self.external, inside.port()) == outside;
        let inside = *self.mapped.iter().find(leads_there)?;
        let goes_otherwise = |entry: &Entry| entry.inside == inside && entry.contacted.contains(&from);
        if self.entries.iter().any(goes_otherwise) {
            return None;
        }
        self.entries.push(Entry { inside, outside, contacted: vec![from], used: now });
        Some(inside)
    }

    fn admitted(&self, outside: SocketAddr, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let lives = |entry: &&Entry| entry.outside == outside && entry.used + self.expiry > now;
        let entry = self.entries.iter().find(lives)?;
        let passes = entry.contacted.iter().any(|&contacted| self.filtering.alike(contacted, from));
        passes.then_some(entry.inside)
    }
}
