//! Whether this client needs a mapping, and to which of our addresses.
//!
//! A stock client sends to the address that it gave to ssh, so what ssh saw tells. A client that needs none is not
//! delayed, and gets exactly what mosh-server gives it.

use std::net::IpAddr;

use net::interfaces::Attachment;
use portmap::address::{Reach, reach};

use crate::mosh_server::Bind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Mapping {
        internal: IpAddr,
        gateway: IpAddr,
        /// mosh-server listens on that address only, so no other will ever do.
        fixed: bool,
    },
    None(Reason),
}

/// Why a mapping would not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    NoDefaultRoute,
    ClientOnOurLink,
    ClientOverIpv6,
    /// The connection came in on an address, or mosh-server was told to listen on one, that the gateway does not
    /// route to.
    ListensElsewhere,
    OwnAddressIsPublic,
}

/// Both ends of the ssh connection, as this host sees them (`SSH_CONNECTION`, ssh(1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SshConnection {
    pub(crate) client: IpAddr,
    pub(crate) server: IpAddr,
}

impl SshConnection {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let client: IpAddr = words.next()?.parse().ok()?;
        let server: IpAddr = words.nth(1)?.parse().ok()?;
        Some(Self { client: client.to_canonical(), server: server.to_canonical() })
    }
}

impl Need {
    pub(crate) fn of(bind: &Bind, ssh: Option<SshConnection>, host: &Attachment) -> Self {
        let Some(gateway) = host.gateway_v4() else { return Self::None(Reason::NoDefaultRoute) };
        if let Some(SshConnection { client, .. }) = ssh {
            if client.is_ipv6() {
                return Self::None(Reason::ClientOverIpv6);
            }
            // A router that forwards ssh may put its own address in the place of the client's.
            if host.is_on_link(client) && !host.is_gateway(client) {
                return Self::None(Reason::ClientOnOurLink);
            }
        }
        let listens_on = match bind {
            Bind::Any => None,
            Bind::Ssh => ssh.map(|ssh| ssh.server).filter(|server| host.is_own(*server)),
            Bind::Address(text) => match text.parse::<IpAddr>() {
                Ok(address) => Some(address).filter(|address| !address.is_unspecified()),
                Err(_) => return Self::None(Reason::ListensElsewhere),
            },
        };
        let internal = match listens_on {
            Some(address) if host.faces(address, gateway.address) => address,
            Some(_) => return Self::None(Reason::ListensElsewhere),
            None => match gateway.source {
                Some(source) => source,
                None => return Self::None(Reason::NoDefaultRoute),
            },
        };
        if reach(internal) == Reach::Public {
            return Self::None(Reason::OwnAddressIsPublic);
        }
        Self::Mapping { internal, gateway: gateway.address, fixed: listens_on.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use net::interfaces::{Gateway, LocalAddress};

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn host(own: &str, gateway: &str) -> Attachment {
        let local = |address, interface, prefix_length| LocalAddress { interface, address, prefix_length };
        Attachment {
            addresses: vec![
                local(address("127.0.0.1"), 1, 8),
                local(address(own), 2, 24),
                local(address("192.168.1.11"), 2, 24),
                local(address("10.8.0.2"), 3, 24),
            ],
            gateways: vec![Gateway { interface: 2, address: address(gateway), source: Some(address(own)) }],
        }
    }

    fn need(bind: Bind, ssh: &str) -> Need {
        Need::of(&bind, SshConnection::parse(ssh), &host("192.168.1.10", "192.168.1.1"))
    }

    fn mapping(internal: &str) -> Need {
        Need::Mapping { internal: address(internal), gateway: address("192.168.1.1"), fixed: true }
    }

    fn mapping_for_now(internal: &str) -> Need {
        Need::Mapping { internal: address(internal), gateway: address("192.168.1.1"), fixed: false }
    }

    #[test]
    fn a_client_from_outside_needs_a_mapping_to_the_address_that_ssh_came_in_on() {
        assert_eq!(need(Bind::Ssh, "20.0.0.9 40000 192.168.1.10 22"), mapping("192.168.1.10"));
        assert_eq!(need(Bind::Ssh, "20.0.0.9 40000 192.168.1.11 22"), mapping("192.168.1.11"));
        assert_eq!(need(Bind::Any, "20.0.0.9 40000 192.168.1.11 22"), mapping_for_now("192.168.1.10"));
        assert_eq!(need(Bind::Ssh, "::ffff:20.0.0.9 1 ::ffff:192.168.1.10 22"), mapping("192.168.1.10"));
    }

    #[test]
    fn a_client_behind_a_router_that_hides_its_address_needs_one_too() {
        assert_eq!(need(Bind::Ssh, "192.168.1.1 40000 192.168.1.10 22"), mapping("192.168.1.10"));
    }

    #[test]
    fn without_ssh_a_mapping_is_assumed_to_be_needed() {
        assert_eq!(need(Bind::Any, ""), mapping_for_now("192.168.1.10"));
        assert_eq!(need(Bind::Ssh, ""), mapping_for_now("192.168.1.10"));
    }

    #[test]
    fn clients_that_reach_us_directly_need_none() {
        for ssh in ["192.168.1.50 4 192.168.1.10 22", "10.8.0.1 4 10.8.0.2 22", "127.0.0.1 4 127.0.0.1 22"] {
            assert_eq!(need(Bind::Ssh, ssh), Need::None(Reason::ClientOnOurLink), "{ssh}");
        }
        assert_eq!(need(Bind::Any, "2a00::9 4 2a00::10 22"), Need::None(Reason::ClientOverIpv6));
    }

    #[test]
    fn a_server_that_listens_where_the_gateway_does_not_route_gets_none() {
        assert_eq!(need(Bind::Ssh, "10.9.0.1 4 10.8.0.2 22"), Need::None(Reason::ListensElsewhere));
        let elsewhere = Bind::Address("10.8.0.2".into());
        assert_eq!(need(elsewhere, "20.0.0.9 4 192.168.1.10 22"), Need::None(Reason::ListensElsewhere));
        let any = Bind::Address("::".into());
        assert_eq!(need(any, "20.0.0.9 4 192.168.1.10 22"), mapping_for_now("192.168.1.10"));
    }

    #[test]
    fn a_host_with_a_public_address_needs_none() {
        let host = host("20.0.0.7", "20.0.0.1");
        let ssh = SshConnection::parse("30.0.0.9 4 20.0.0.7 22");
        assert_eq!(Need::of(&Bind::Ssh, ssh, &host), Need::None(Reason::OwnAddressIsPublic));
    }
}
