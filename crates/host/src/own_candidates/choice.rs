//! Which of this host's own addresses are worth a try by a client, the best first.

use std::net::IpAddr;

use net::interfaces::Gateway;
use net::own_addresses::{Interface, OwnAddress, Standing};
use portmap::address::{Reach, reach};

/// A host has one that is stable and one that is temporary in each of its networks' prefixes; seldom are there two.
const MOST_V6_AN_INTERFACE: usize = 3;

/// The host's ends of links to containers that are no bridges: systemd-nspawn, LXC, Calico, Cilium, Flannel, and what
/// most others call theirs. A name says less than a fact, so it counts only without a default route.
const CONTAINER_LINKS: [&str; 7] = ["ve-", "vb-", "lxc", "cali", "cilium_", "flannel.", "veth"];

/// What a bound socket serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    V4,
    V6,
    Both,
    Only(IpAddr),
}

impl Served {
    /// A socket bound to `address`.
    pub(crate) fn by(address: IpAddr, dual_stack: bool) -> Self {
        match address {
            IpAddr::V4(address) if address.is_unspecified() => Self::V4,
            IpAddr::V6(address) if address.is_unspecified() && dual_stack => Self::Both,
            IpAddr::V6(address) if address.is_unspecified() => Self::V6,
            address => Self::Only(address),
        }
    }

    fn includes(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Both => true,
            Self::Only(only) => only == address,
        }
    }
}

/// Chooses among `own`. `gateways` are those of the default routes, best metric first.
pub(crate) fn choose(served: Served, own: &[OwnAddress], gateways: &[Gateway]) -> Vec<IpAddr> {
    let host = Host { gateways };
    let is_worth_it = |own: &&OwnAddress| match served {
        // Whoever chose it knows better, or has come that way.
        Served::Only(only) => own.address == only && goes_beyond_its_link(only),
        served => served.includes(own.address) && host.offers(own),
    };
    let mut chosen: Vec<_> = own.iter().filter(is_worth_it).collect();
    chosen.sort_by_key(|own| host.rank(own));
    few_of_each_interface(&chosen)
}

fn few_of_each_interface(sorted: &[&OwnAddress]) -> Vec<IpAddr> {
    let mut taken: Vec<&OwnAddress> = Vec::new();
    for own in sorted {
        let of_same_interface =
            |other: &&&OwnAddress| other.address.is_ipv6() && other.interface.index == own.interface.index;
        let is_one_too_many =
            own.address.is_ipv6() && taken.iter().filter(of_same_interface).count() >= MOST_V6_AN_INTERFACE;
        if !is_one_too_many && taken.iter().all(|other| other.address != own.address) {
            taken.push(own);
        }
    }
    taken.into_iter().map(|own| own.address).collect()
}

struct Host<'a> {
    gateways: &'a [Gateway],
}

impl Host<'_> {
    fn offers(&self, own: &OwnAddress) -> bool {
        goes_beyond_its_link(own.address)
            && (self.is_used(own) || own.standing == Standing::Stable)
            && own.standing != Standing::Tentative
            && !own.interface.is_down
            && !self.is_for_containers(&own.interface)
    }

    /// A bridge that leads to nothing but virtual ports connects guests of this host, unless it is the way out.
    fn is_for_containers(&self, interface: &Interface) -> bool {
        let named_so = || CONTAINER_LINKS.iter().any(|prefix| interface.name.starts_with(prefix));
        let virtual_only = interface.bridge.map_or_else(named_so, |bridge| !bridge.leads_to_hardware);
        virtual_only && self.route(interface).is_none()
    }

    fn route(&self, interface: &Interface) -> Option<usize> {
        self.gateways.iter().position(|gateway| gateway.interface == interface.index)
    }

    /// The kernel sends from it, so answers come from the address that was asked.
    fn is_used(&self, own: &OwnAddress) -> bool {
        self.gateways.iter().any(|gateway| gateway.source == Some(own.address))
    }

    /// Smaller is better. Interfaces come one after the other, and those on the way out first.
    fn rank(&self, own: &OwnAddress) -> impl Ord + use<> {
        let interface = (self.route(&own.interface).unwrap_or(usize::MAX), own.interface.index);
        (interface, own.address.is_ipv6(), !self.is_used(own), reach(own.address) != Reach::Public)
    }
}

fn goes_beyond_its_link(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

#[cfg(test)]
mod tests;
