//! From what was told of the host's addresses to what the path agent races.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Instant;

use path::{Allowance, Candidate, Family, Kind, MAX_CANDIDATES_PER_KIND};
use portmap::address::{Reach, reach};
use wire::offer::{self, Offer};
use wire::opener::is_target;

use crate::addresses::reachable::{Witness, reachable};
use crate::configuration::{Configuration, Families};

/// Lets in what may be sent to, and not too much of it.
#[derive(Debug)]
pub(crate) struct Intake {
    families: Families,
    /// By whose word the host speaks: locally it is this machine.
    host: Witness,
    allowance: Allowance,
    /// Behind some NATs the host comes from another port in each round, and whoever is on the way can copy openers: what
    /// rounds bring takes no candidate's place.
    of_rounds: Allowance,
}

impl Intake {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let host = if configuration.local { Witness::Name } else { Witness::Host };
        let families = configuration.families;
        Self { families, host, allowance: Allowance::default(), of_rounds: Allowance::default() }
    }

    /// Of an offer, the best of each kind: of more the agent would keep no more.
    pub(crate) fn offered(&mut self, offer: &Offer, now: Instant) -> Vec<Candidate> {
        let mut taken: Vec<Candidate> = Vec::new();
        for candidate in &offer.candidates {
            let kind = match candidate.kind {
                offer::Kind::Host => own(candidate.address),
                offer::Kind::Pinhole => Kind::Global,
                offer::Kind::Mapped => Kind::Mapped,
            };
            if taken.iter().filter(|known| known.kind == kind).count() < MAX_CANDIDATES_PER_KIND {
                let address = SocketAddr::new(candidate.address, candidate.port.get());
                taken.extend(self.take(kind, address, self.host, now));
            }
        }
        taken
    }

    /// An address that the host says is its own.
    pub(crate) fn of_host(&mut self, address: IpAddr, port: NonZeroU16, now: Instant) -> Option<Candidate> {
        self.take(own(address), SocketAddr::new(address, port.get()), self.host, now)
    }

    /// An address to which ssh was sent.
    pub(crate) fn gone_to(
        &mut self,
        address: SocketAddr,
        port: NonZeroU16,
        now: Instant,
    ) -> Option<Candidate> {
        self.take(own(address.ip()), at(address, port), Witness::Name, now)
    }

    /// The first of those that the host's name has here: of more the agent would keep no more, and what comes later needs
    /// room.
    pub(crate) fn all_resolved(
        &mut self,
        addresses: &[SocketAddr],
        port: NonZeroU16,
        now: Instant,
    ) -> Vec<Candidate> {
        let resolved = addresses.iter().filter_map(|&address| self.resolved(address, port, now));
        resolved.take(MAX_CANDIDATES_PER_KIND).collect()
    }

    /// An address that the host's name has here.
    fn resolved(&mut self, address: SocketAddr, port: NonZeroU16, now: Instant) -> Option<Candidate> {
        self.take(Kind::Resolved, at(address, port), Witness::Name, now)
    }

    /// An address from which the host's openers come.
    pub(crate) fn opened(&mut self, address: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let address = reachable(Some(address).filter(|&address| is_target(address))?, self.host)?;
        let is_allowed = self.families.allow(Family::of(address));
        (is_allowed && self.of_rounds.takes(address, now)).then_some(address)
    }

    fn take(&mut self, kind: Kind, address: SocketAddr, witness: Witness, now: Instant) -> Option<Candidate> {
        let candidate = Candidate { kind, address: reachable(address, witness)? };
        let is_taken =
            self.families.allow(candidate.family()) && self.allowance.takes(candidate.address, now);
        is_taken.then_some(candidate)
    }
}

fn at(mut address: SocketAddr, port: NonZeroU16) -> SocketAddr {
    address.set_port(port.get());
    address
}

fn own(address: IpAddr) -> Kind {
    if reach(address.to_canonical()) == Reach::Public { Kind::Global } else { Kind::Lan }
}

#[cfg(test)]
mod tests {
    use net::clock;
    use path::MAX_NEW_ADDRESSES;

    use super::*;

    fn port() -> NonZeroU16 {
        NonZeroU16::new(60_001).unwrap()
    }

    fn intake() -> Intake {
        Intake::new(&Configuration::of("host"))
    }

    fn of_ipv6_alone() -> Intake {
        Intake::new(&Configuration { families: Families::Only(Family::V6), ..Configuration::of("host") })
    }

    fn offer(fields: &str) -> Offer {
        Offer::parse(format!("MOSHPUNCH OFFER 1 {fields}").as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn an_offer_says_of_what_kind_its_candidates_are() {
        let offer = offer(
            "host=192.168.1.10:1 host=[fd00::1]:1 host=20.0.0.7:1 pinhole=[2a00::1]:1 mapped=20.0.0.1:2",
        );
        let kinds = |mut intake: Intake| {
            intake.offered(&offer, clock::now()).iter().map(|it| it.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(intake()), [Kind::Lan, Kind::Lan, Kind::Global, Kind::Global, Kind::Mapped]);
        assert_eq!(kinds(of_ipv6_alone()), [Kind::Lan, Kind::Global]);
    }

    #[test]
    fn a_resolved_name_ranks_by_how_it_was_found() {
        let (mut both, now) = (intake(), clock::now());
        let address: IpAddr = "::ffff:192.168.1.10".parse().unwrap();
        let expected = "192.168.1.10:60001".parse().unwrap();
        let resolved = both.resolved(SocketAddr::new(address, 22), port(), now).unwrap();
        assert_eq!((resolved.kind, resolved.address), (Kind::Resolved, expected));
        assert_eq!(both.of_host(address, port(), now).unwrap().kind, Kind::Lan);
        assert_eq!(of_ipv6_alone().of_host(address, port(), now), None);
    }

    #[test]
    fn the_host_may_name_this_machine_only_where_it_is_this_machine() {
        let (here, now) = ("127.0.0.1".parse().unwrap(), clock::now());
        let local = Configuration { local: true, ..Configuration::of("::1") };
        let offered = |mut intake: Intake| intake.offered(&offer("host=127.0.0.1:1 host=[::1]:1"), now).len();
        assert_eq!((offered(intake()), offered(Intake::new(&local))), (0, 2));
        let mut intake = intake();
        assert_eq!(intake.of_host(here, port(), now), None);
        let resolved = intake.resolved(SocketAddr::new(here, 22), port(), now);
        assert_eq!(resolved.unwrap().address, "127.0.0.1:60001".parse().unwrap());
    }

    #[test]
    fn a_scope_comes_from_this_machine_alone() {
        let (mut intake, now) = (intake(), clock::now());
        let address: SocketAddr = "[fe80::2%3]:22".parse().unwrap();
        assert_eq!(intake.of_host(address.ip(), port(), now), None);
        let expected = "[fe80::2%3]:60001".parse().unwrap();
        assert_eq!(intake.gone_to(address, port(), now).unwrap().address, expected);
        assert_eq!(intake.resolved(address, port(), now).unwrap().address, expected);
    }

    #[test]
    fn a_name_with_many_addresses_leaves_room_for_what_the_router_maps() {
        let (mut intake, now) = (intake(), clock::now());
        let many: Vec<_> = (1..=16).map(|number| SocketAddr::from(([20, 0, 9, number], 22))).collect();
        assert_eq!(intake.all_resolved(&many, port(), now).len(), MAX_CANDIDATES_PER_KIND);
        let own: String = (1..=12).map(|number| format!("host=192.168.1.{number}:1 ")).collect();
        assert_eq!(intake.offered(&offer(own.trim_end()), now).len(), MAX_CANDIDATES_PER_KIND);
        assert_eq!(intake.offered(&offer("mapped=20.0.0.1:60001"), now).len(), 1);
    }

    #[test]
    fn what_rounds_bring_leaves_room_for_candidates_and_is_bounded_as_they_are() {
        let (mut intake, now) = (intake(), clock::now());
        let source = |number| SocketAddr::from(([20, 0, 0, 1], number));
        let taken = (1..=200).filter(|&number| intake.opened(source(number), now).is_some());
        assert_eq!(taken.count(), MAX_NEW_ADDRESSES);
        assert_eq!(intake.offered(&offer("mapped=20.0.0.1:60001"), now).len(), 1);
        assert_eq!(of_ipv6_alone().opened(source(1), now), None);
    }

    #[test]
    fn whoever_names_them_no_more_addresses_are_let_in_than_are_allowed() {
        let (mut intake, now) = (intake(), clock::now());
        let mut taken = 0;
        for number in 1..=200 {
            let offer = offer(&format!("host=10.0.0.{number}:1 mapped=20.0.0.1:{number}"));
            taken += intake.offered(&offer, now).len();
            let address = IpAddr::from([20, 0, 1, number]);
            taken += intake.of_host(address, port(), now).iter().count();
            taken += intake.resolved(SocketAddr::new(address, 22), port(), now).iter().count();
        }
        // The last two are one address, which counts once.
        assert_eq!(taken, MAX_NEW_ADDRESSES / 3 * 4 + 1);
    }
}
