//! Where the host is: its address toward the gateway, and the gateway, as they change.

use std::net::IpAddr;
use std::time::Instant;

use net::changes::Settled;
use net::interfaces::Attachment;
use portmap::address::{Reach, reach};
use rustix::event::PollFd;

#[derive(Debug)]
pub(super) struct Place {
    internal: IpAddr,
    gateway: Option<IpAddr>,
    internal_is_fixed: bool,
    /// A move that goes unnoticed loses the mapping at its next renewal.
    changes: Settled,
}

impl Place {
    pub(super) fn new(internal: IpAddr, gateway: IpAddr, internal_is_fixed: bool) -> Self {
        Self { internal, gateway: Some(gateway), internal_is_fixed, changes: Settled::open() }
    }

    pub(super) fn internal(&self) -> IpAddr {
        self.internal
    }

    pub(super) fn descriptor(&self) -> Option<PollFd<'_>> {
        self.changes.descriptor()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.changes.poll_timeout()
    }

    /// The new address and gateway, once a change has settled and was one for us.
    pub(super) fn moved(&mut self, now: Instant) -> Option<(IpAddr, Option<IpAddr>)> {
        if !self.changes.any(now) {
            return None;
        }
        let host = Attachment::read().inspect_err(|error| tracing::debug!(%error)).ok()?;
        self.take(&host)
    }

    /// While there is no way out, there is nothing to do but to wait for the next change.
    fn take(&mut self, host: &Attachment) -> Option<(IpAddr, Option<IpAddr>)> {
        let gateway = if self.internal.is_ipv6() { host.gateway_v6() } else { host.gateway_v4() }?;
        let internal = match self.internal_is_fixed {
            true if !host.faces(self.internal, gateway.address) => return None,
            true => self.internal,
            false => gateway.source?,
        };
        // A pinhole for what is unique to the site would open nothing.
        if internal.is_ipv6() && reach(internal) != Reach::Public {
            return None;
        }
        let now = (internal, Some(gateway.address));
        let moved = now != (self.internal, self.gateway);
        (self.internal, self.gateway) = now;
        moved.then_some(now)
    }
}

#[cfg(test)]
mod tests {
    use net::interfaces::{Gateway, LocalAddress};

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn host(own: &[&str], gateway: Option<&str>) -> Attachment {
        let local = |text: &&str| LocalAddress { interface: 2, address: address(text), prefix_length: 24 };
        let gateway = gateway.map(|text| Gateway {
            interface: 2,
            address: address(text),
            source: own.first().map(|own| address(own)),
        });
        Attachment { addresses: own.iter().map(local).collect(), gateways: gateway.into_iter().collect() }
    }

    fn place(internal_is_fixed: bool) -> Place {
        Place::new(address("192.168.1.10"), address("192.168.1.1"), internal_is_fixed)
    }

    #[test]
    fn a_change_elsewhere_is_no_move() {
        assert_eq!(place(false).take(&host(&["192.168.1.10", "10.8.0.2"], Some("192.168.1.1"))), None);
    }

    #[test]
    fn another_gateway_is_a_move_and_told_once() {
        let mut place = place(true);
        let host = host(&["192.168.1.10"], Some("192.168.1.254"));
        let moved = Some((address("192.168.1.10"), Some(address("192.168.1.254"))));
        assert_eq!(place.take(&host), moved);
        assert_eq!(place.take(&host), None);
    }

    #[test]
    fn another_address_is_a_move_unless_mosh_server_listens_on_the_old_one_only() {
        let host = host(&["192.168.2.10"], Some("192.168.2.1"));
        let moved = Some((address("192.168.2.10"), Some(address("192.168.2.1"))));
        assert_eq!(place(false).take(&host), moved);
        assert_eq!(place(true).take(&host), None);
    }

    #[test]
    fn a_pinhole_follows_the_address_that_the_kernel_uses_toward_the_ipv6_router() {
        let mut place = Place::new(address("2a00:7::10"), address("fe80::1"), false);
        let mut host = host(&["192.168.1.10"], Some("192.168.1.1"));
        assert_eq!(place.take(&host), None);
        let source = |text| Some(address(text));
        host.gateways.push(Gateway { interface: 2, address: address("fe80::1"), source: source("fd07::10") });
        assert_eq!(place.take(&host), None);
        host.gateways[1].source = source("2a00:8::10");
        assert_eq!(place.take(&host), Some((address("2a00:8::10"), Some(address("fe80::1")))));
    }

    #[test]
    fn without_a_way_out_nothing_happens_until_there_is_one_again() {
        let mut place = place(false);
        assert_eq!(place.take(&host(&[], None)), None);
        assert_eq!(place.take(&host(&["192.168.1.10"], Some("192.168.1.1"))), None);
    }
}
