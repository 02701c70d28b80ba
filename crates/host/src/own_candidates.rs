//! Where this host itself says that a session can be reached: its own addresses.

mod choice;

use std::num::NonZeroU16;
use std::time::Instant;

use net::bound;
use net::changes::Settled;
use net::interfaces::{Attachment, Gateway};
use net::own_addresses::{self, OwnAddress};
use rustix::event::PollFd;
use wire::offer::{Candidate, Kind, MOST_CANDIDATES};

use self::choice::Served;

/// What gateways open comes behind these, and is not to be cut off.
const MOST_OWN: usize = MOST_CANDIDATES - 4;

/// What is known of this host, whatever the port.
#[derive(Debug)]
struct Here {
    own: Vec<OwnAddress>,
    gateways: Vec<Gateway>,
    dual_stack: bool,
}

impl Here {
    fn read() -> Self {
        Self {
            own: OwnAddress::all().unwrap_or_default(),
            gateways: Attachment::read().unwrap_or_default().gateways,
            dual_stack: own_addresses::is_dual_stack(),
        }
    }

    fn candidates(&self, port: NonZeroU16) -> Option<Vec<Candidate>> {
        let bound = bound::addresses(port, rustix::process::getuid().as_raw());
        let served = bound.iter().map(|&address| Served::by(address, self.dual_stack));
        let chosen = served.flat_map(|served| choice::choose(served, &self.own, &self.gateways));
        let chosen = chosen.map(|address| Candidate { kind: Kind::Host, address, port });
        (!bound.is_empty()).then(|| chosen.take(MOST_OWN).collect())
    }
}

/// This host's addresses that this user's sockets on `port` serve; `None` without any such socket.
pub(crate) fn of(port: NonZeroU16) -> Option<Vec<Candidate>> {
    Here::read().candidates(port)
}

/// What can be read before there is a port.
#[derive(Debug)]
pub(crate) struct OwnAddresses {
    changes: Settled,
    here: Here,
}

impl OwnAddresses {
    pub(crate) fn read() -> Self {
        // Before the reading: what changes meanwhile is a change.
        let changes = Settled::open();
        Self { changes, here: Here::read() }
    }

    pub(crate) fn serving(self, port: NonZeroU16) -> OwnCandidates {
        let Self { changes, here } = self;
        OwnCandidates { port, changes, present: here.candidates(port).unwrap_or_default() }
    }
}

/// This host's addresses that serve a session, as they come and go.
#[derive(Debug)]
pub(crate) struct OwnCandidates {
    port: NonZeroU16,
    changes: Settled,
    present: Vec<Candidate>,
}

impl OwnCandidates {
    pub(crate) fn read(port: NonZeroU16) -> Self {
        OwnAddresses::read().serving(port)
    }

    pub(crate) fn present(&self) -> &[Candidate] {
        &self.present
    }

    /// Those that were not there before a change.
    pub(crate) fn new_ones(&mut self, now: Instant) -> Vec<Candidate> {
        if !self.changes.any(now) {
            return Vec::new();
        }
        self.take(of(self.port).unwrap_or_default())
    }

    fn take(&mut self, present: Vec<Candidate>) -> Vec<Candidate> {
        let before = std::mem::replace(&mut self.present, present);
        self.present.iter().filter(|candidate| !before.contains(candidate)).copied().collect()
    }

    pub(crate) fn descriptor(&self) -> Option<PollFd<'_>> {
        self.changes.descriptor()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.changes.poll_timeout()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_again_once_it_was_gone() {
        let port = NonZeroU16::new(60001).unwrap();
        let [a, b] = ["192.168.1.10", "2a00:7::10"].map(|address| Candidate {
            kind: Kind::Host,
            address: address.parse().unwrap(),
            port,
        });
        let mut own = OwnCandidates { present: vec![a], ..OwnCandidates::read(port) };
        assert_eq!(own.take(vec![a, b]), [b]);
        assert_eq!(own.take(vec![b, a]), []);
        assert_eq!(own.take(vec![b]), []);
        assert_eq!(own.take(vec![a, b]), [a]);
    }
}
