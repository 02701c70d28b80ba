//! The ports that are held.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use miniupnpd::guard::Extent;
use net::Reservation;

#[derive(Default)]
pub(super) struct Holds(BTreeMap<NonZeroU16, Reservation>);

impl Holds {
    /// As much of the port as can be had; `outside` are the addresses that matter most.
    pub(super) fn hold(&mut self, port: NonZeroU16, outside: &[Ipv4Addr]) -> Extent {
        // What is held in part would be in the way of the whole.
        self.0.remove(&port);
        let (reservation, extent) = match Reservation::of_every_address(port) {
            Ok(reservation) => (reservation, Extent::Whole),
            Err(error) if error.kind() == ErrorKind::AddrInUse => match Reservation::of(outside, port) {
                Ok(reservation) => (reservation, Extent::Outside),
                Err(_) => return nothing(port, &error),
            },
            Err(error) => return nothing(port, &error),
        };
        tracing::debug!(port, ?extent, "held");
        self.0.insert(port, reservation);
        extent
    }

    pub(super) fn release(&mut self, port: NonZeroU16) {
        tracing::debug!(port, "released");
        self.0.remove(&port);
    }
}

fn nothing(port: NonZeroU16, error: &io::Error) -> Extent {
    tracing::debug!(port, %error, "not held");
    Extent::Nothing(error.kind())
}
