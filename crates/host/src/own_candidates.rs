//! Where this host itself says that a session can be reached: its own addresses.

mod choice;

use std::num::NonZeroU16;

use net::bound;
use net::interfaces::Attachment;
use net::own_addresses::{self, OwnAddress};
use wire::offer::{Candidate, Kind, MOST_CANDIDATES};

use self::choice::Served;

/// What gateways open comes behind these, and is not to be cut off.
const MOST_OWN: usize = MOST_CANDIDATES - 4;

/// This host's addresses that this user's sockets on `port` serve; `None` without any such socket.
pub(crate) fn of(port: NonZeroU16) -> Option<Vec<Candidate>> {
    let bound = bound::addresses(port, rustix::process::getuid().as_raw());
    let own = OwnAddress::all().unwrap_or_default();
    let gateways = Attachment::read().unwrap_or_default().gateways;
    let dual_stack = own_addresses::is_dual_stack();
    let served = bound.iter().map(|&address| Served::by(address, dual_stack));
    let chosen = served.flat_map(|served| choice::choose(served, &own, &gateways));
    let chosen = chosen.map(|address| Candidate { kind: Kind::Host, address, port });
    (!bound.is_empty()).then(|| chosen.take(MOST_OWN).collect())
}
