//! Where the host is, as far as that is told before the session has its port.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Instant;

use path::Candidate;
use wire::offer::Offer;

use crate::addresses::intake::Intake;
use crate::configuration::Configuration;

/// What the host's moshpunch has told of where it can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Offers {
    /// There is none, and nobody to ask again.
    #[default]
    None,
    /// Its router has not answered yet.
    Unfinished,
    Complete,
}

impl Offers {
    pub(crate) fn follow(&mut self, offer: &Offer) {
        *self = if offer.more { Self::Unfinished } else { Self::Complete };
    }
}

#[derive(Debug)]
pub(crate) struct Whereabouts {
    pub(crate) intake: Intake,
    pub(crate) offers: Offers,
    offered: Vec<Candidate>,
    /// What the host says of itself.
    addresses: Vec<IpAddr>,
    /// Where ssh was sent, if that was looked up here.
    gone_to: Option<SocketAddr>,
}

impl Whereabouts {
    pub(crate) fn new(configuration: &Configuration, gone_to: Option<SocketAddr>) -> Self {
        Self {
            intake: Intake::new(configuration),
            offers: Offers::default(),
            offered: Vec::new(),
            addresses: Vec::new(),
            gone_to,
        }
    }

    /// What is taken of it.
    pub(crate) fn handle_offer(&mut self, offer: &Offer, now: Instant) -> Vec<Candidate> {
        self.offers.follow(offer);
        let taken = self.intake.offered(offer, now);
        self.offered.extend(&taken);
        taken
    }

    pub(crate) fn handle_address(&mut self, address: IpAddr) {
        self.addresses.push(address);
    }

    /// All of them, now that the port is known.
    pub(crate) fn candidates(&mut self, port: NonZeroU16, now: Instant) -> Vec<Candidate> {
        let mut candidates = std::mem::take(&mut self.offered);
        candidates.extend(self.gone_to.and_then(|address| self.intake.gone_to(address, port, now)));
        let own = |&address: &IpAddr| self.intake.of_host(address, port, now);
        candidates.extend(self.addresses.iter().filter_map(own));
        candidates
    }
}
