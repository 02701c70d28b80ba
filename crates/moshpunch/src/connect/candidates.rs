//! From what the host told to what the path agent races.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use path::{Candidate, Kind};
use portmap::address::{Reach, reach};
use wire::offer::{self, Offer};

use crate::configuration::Families;

/// Those of an offer that the user allows.
pub(crate) fn offered(offer: &Offer, families: Families) -> Vec<Candidate> {
    let known = offer.candidates.iter().map(|candidate| Candidate {
        kind: match candidate.kind {
            offer::Kind::Host => own(candidate.address),
            offer::Kind::Pinhole => Kind::Global,
            offer::Kind::Mapped => Kind::Mapped,
        },
        address: SocketAddr::new(candidate.address, candidate.port.get()),
    });
    known.filter(|candidate| families.allow(candidate.family())).collect()
}

/// An address that the host has itself.
pub(crate) fn of_host(address: IpAddr, port: NonZeroU16, families: Families) -> Option<Candidate> {
    at(own(address), address, port, families)
}

/// An address that the host's name has here.
pub(crate) fn resolved(address: IpAddr, port: NonZeroU16, families: Families) -> Option<Candidate> {
    at(Kind::Resolved, address, port, families)
}

fn at(kind: Kind, address: IpAddr, port: NonZeroU16, families: Families) -> Option<Candidate> {
    let address = SocketAddr::new(address.to_canonical(), port.get());
    Some(Candidate { kind, address }).filter(|candidate| families.allow(candidate.family()))
}

fn own(address: IpAddr) -> Kind {
    if reach(address) == Reach::Public { Kind::Global } else { Kind::Lan }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> NonZeroU16 {
        NonZeroU16::new(60_001).unwrap()
    }

    #[test]
    fn an_offer_says_of_what_kind_its_candidates_are() {
        let line =
            b"MOSHPUNCH OFFER 1 host=192.168.1.10:1 host=[fd00::1]:1 host=20.0.0.7:1 pinhole=[2a00::1]:1 \
                     mapped=20.0.0.1:2";
        let offer = Offer::parse(line).unwrap().unwrap();
        let kinds = |families| offered(&offer, families).iter().map(|it| it.kind).collect::<Vec<_>>();
        assert_eq!(kinds(Families::All), [Kind::Lan, Kind::Lan, Kind::Global, Kind::Global, Kind::Mapped]);
        assert_eq!(kinds(Families::Only(path::Family::V6)), [Kind::Lan, Kind::Global]);
    }

    #[test]
    fn a_resolved_name_ranks_by_how_it_was_found() {
        let address: IpAddr = "::ffff:192.168.1.10".parse().unwrap();
        let expected = "192.168.1.10:60001".parse().unwrap();
        let resolved = resolved(address, port(), Families::All).unwrap();
        assert_eq!((resolved.kind, resolved.address), (Kind::Resolved, expected));
        assert_eq!(of_host(address, port(), Families::All).unwrap().kind, Kind::Lan);
        assert_eq!(of_host(address, port(), Families::Only(path::Family::V6)), None);
    }
}
