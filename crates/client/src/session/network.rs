//! Which network this machine is in, as far as it can see.

use std::net::IpAddr;

use net::interfaces::{Attachment, Gateway, LocalAddress};

/// Its addresses and gateways, without those of a link, which come and go with every container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Network {
    addresses: Vec<LocalAddress>,
    gateways: Vec<Gateway>,
}

impl Network {
    pub(crate) fn read() -> Self {
        Self::of(Attachment::read().unwrap_or_default())
    }

    /// Whether connections of before are gone, as far as this machine can see: an address of ours is.
    pub(crate) fn has_lost_an_address(&self, before: &Self) -> bool {
        before
            .addresses
            .iter()
            .any(|former| !self.addresses.iter().any(|local| local.address == former.address))
    }

    fn of(Attachment { mut addresses, gateways }: Attachment) -> Self {
        addresses.retain(|local| !is_of_the_link(local.address));
        Self { addresses, gateways }
    }
}

fn is_of_the_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(addresses: &[&str]) -> Attachment {
        let local =
            |text: &&str| LocalAddress { interface: 1, address: text.parse().unwrap(), prefix_length: 24 };
        Attachment { addresses: addresses.iter().map(local).collect(), gateways: Vec::new() }
    }

    #[test]
    fn it_is_another_with_another_address() {
        let of = |addresses: &[&str]| Network::of(attachment(addresses));
        assert_eq!(of(&["20.0.0.9", "fe80::9"]), of(&["20.0.0.9", "fe80::7", "169.254.1.1"]));
        assert_ne!(of(&["20.0.0.9"]), of(&["20.0.0.8"]));
        assert_ne!(of(&["20.0.0.9"]), of(&["20.0.0.9", "2a00::9"]));
    }

    #[test]
    fn connections_are_gone_with_their_address() {
        let of = |addresses: &[&str]| Network::of(attachment(addresses));
        assert!(of(&["20.0.0.8"]).has_lost_an_address(&of(&["20.0.0.9"])));
        assert!(of(&[]).has_lost_an_address(&of(&["20.0.0.9"])));
        assert!(!of(&["20.0.0.9", "10.0.0.1"]).has_lost_an_address(&of(&["20.0.0.9"])));
    }
}
