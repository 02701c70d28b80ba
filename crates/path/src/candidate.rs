//! Where the server may be reached by UDP, and from where; what ranks before what.

use std::net::{IpAddr, SocketAddr};

/// An offer names few addresses of a kind. Those that come later replace the oldest: a name's new address, a gateway's
/// new mapping.
pub const MAX_CANDIDATES_PER_KIND: usize = 4;

/// What stands between us and the server, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The server's own address on a private network: only routers of that network between, the shortest way.
    Lan,
    /// The server's own global address: routers and firewalls, but no mapping that may be lost.
    Global,
    /// Its gateway's external address and port: works as long as the mapping does.
    Mapped,
    /// What the host's name resolves to, with mosh-server's own port: what stock mosh would use, and only right
    /// where somebody forwards that port.
    Resolved,
    /// Through what the host's openers have opened, whatever the address: works as long as routers remember the flow, and not
    /// over a sleep. No candidate is of this kind.
    Punched,
    /// Around by a relay that the user has named, which the host's openers have come by. No candidate is of this kind.
    Relayed,
    /// By the channel to the host, whatever that takes to get there: it has no address, so no candidate is of this kind.
    Carried,
}

/// IPv6 first: no NAT is needed, so none can forget us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    V6,
    V4,
}

impl Family {
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        if address.is_ipv6() { Self::V6 } else { Self::V4 }
    }
}

/// Smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    pub kind: Kind,
    /// `None` where no address of ours or theirs is known.
    pub family: Option<Family>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    pub kind: Kind,
    pub address: SocketAddr,
}

impl Candidate {
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank { kind: self.kind, family: Some(self.family()) }
    }
}

/// What one of our sockets is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    pub family: Family,
    /// `None`: the kernel chooses by its routes, anew for each datagram.
    pub address: Option<IpAddr>,
}

impl Binding {
    #[must_use]
    pub fn any(family: Family) -> Self {
        Self { family, address: None }
    }
}

/// The server's candidates, each address once.
#[derive(Debug, Default)]
pub(crate) struct Candidates(Vec<Candidate>);

/// What adding a candidate did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    Known,
    /// A known address turned out to be of a better kind.
    Improved {
        replaced: Option<Candidate>,
    },
    New {
        replaced: Option<Candidate>,
    },
}

impl Candidates {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Candidate> {
        self.0.iter().copied()
    }

    /// `kept` is not replaced however old it is.
    pub(crate) fn add(&mut self, candidate: Candidate, kept: Option<SocketAddr>) -> Added {
        let known = self.0.iter().position(|known| known.address == candidate.address);
        if known.is_some_and(|at| candidate.kind >= self.0[at].kind) {
            return Added::Known;
        }
        let improved = known.map(|at| self.0.remove(at)).is_some();
        let replaced = self.make_room(candidate.kind, kept);
        self.0.push(candidate);
        if improved { Added::Improved { replaced } } else { Added::New { replaced } }
    }

    fn make_room(&mut self, kind: Kind, kept: Option<SocketAddr>) -> Option<Candidate> {
        let alike = |known: &&Candidate| known.kind == kind;
        let full = self.0.iter().filter(alike).count() >= MAX_CANDIDATES_PER_KIND;
        let oldest = self.0.iter().position(|known| known.kind == kind && Some(known.address) != kept);
        oldest.filter(|_| full).map(|at| self.0.remove(at))
    }

    pub(crate) fn remove(&mut self, address: SocketAddr) -> bool {
        let before = self.0.len();
        self.0.retain(|known| known.address != address);
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(kind: Kind, address: &str) -> Candidate {
        Candidate { kind, address: address.parse().unwrap() }
    }

    #[test]
    fn a_private_address_ranks_before_ipv6_before_a_mapping_before_the_resolved_name() {
        let mut ranked = [
            candidate(Kind::Resolved, "198.51.100.1:60001"),
            candidate(Kind::Mapped, "198.51.100.1:60005"),
            candidate(Kind::Global, "203.0.113.9:60001"),
            candidate(Kind::Global, "[2001:db8::1]:60001"),
            candidate(Kind::Lan, "192.168.1.10:60001"),
        ];
        let best_first = ranked.iter().rev().copied().collect::<Vec<_>>();
        ranked.sort_by_key(Candidate::rank);
        assert_eq!(ranked.to_vec(), best_first);
    }

    #[test]
    fn an_address_is_held_once_by_its_best_kind() {
        let mut candidates = Candidates::default();
        let resolved = candidate(Kind::Resolved, "198.51.100.1:60001");
        let mapped = candidate(Kind::Mapped, "198.51.100.1:60001");
        assert_eq!(candidates.add(resolved, None), Added::New { replaced: None });
        assert_eq!(candidates.add(mapped, None), Added::Improved { replaced: None });
        assert_eq!(candidates.add(resolved, None), Added::Known);
        assert_eq!(candidates.iter().collect::<Vec<_>>(), [mapped]);
    }

    #[test]
    fn the_oldest_of_a_kind_makes_room_unless_it_is_in_use() {
        let mut candidates = Candidates::default();
        let numbered = |number| candidate(Kind::Resolved, &format!("198.51.100.{number}:60001"));
        for number in 1..=4 {
            candidates.add(numbered(number), None);
        }
        let kept = Some(numbered(1).address);
        assert_eq!(candidates.add(numbered(5), kept), Added::New { replaced: Some(numbered(2)) });
        assert_eq!(candidates.iter().count(), MAX_CANDIDATES_PER_KIND);
    }

    /// A name's new address, which the next offer then names as mapped, over and over.
    #[test]
    fn an_address_that_turned_out_better_makes_the_oldest_of_its_kind_go() {
        let mut candidates = Candidates::default();
        let of_kind = |kind, number| candidate(kind, &format!("198.51.100.{number}:60001"));
        let mut replaced = Vec::new();
        for number in 1..=6 {
            candidates.add(of_kind(Kind::Resolved, number), None);
            replaced.push(candidates.add(of_kind(Kind::Mapped, number), None));
        }
        let improved = |number: Option<u8>| Added::Improved {
            replaced: number.map(|number| of_kind(Kind::Mapped, number)),
        };
        assert_eq!(replaced, [None, None, None, None, Some(1), Some(2)].map(improved));
        assert_eq!(candidates.iter().count(), MAX_CANDIDATES_PER_KIND);
    }
}
