//! Whether this client needs a mapping, and to which of our addresses.
//!
//! A stock client sends to the address that it gave to ssh, so what ssh saw tells. A client that needs none is not
//! delayed, and gets exactly what mosh-server gives it.

use std::net::IpAddr;

use net::interfaces::{Attachment, Gateway};
use portmap::address::{Reach, reach};
use wire::Bind;

use crate::session::Toward;
use crate::ssh_connection::SshConnection;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Mapping(Toward),
    None(Reason),
}

/// What the client that asks can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The stock one keeps to the address that it gave to ssh.
    Stock,
    /// Ours takes another path when it has moved, so that a mapping may serve it later.
    Roaming,
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

/// Toward every gateway that the client needs something of.
pub(crate) fn all(client: Client, bind: &Bind, ssh: Option<SshConnection>, host: &Attachment) -> Vec<Toward> {
    let mapping = match Need::of(client, bind, ssh, host) {
        Need::Mapping(toward) => Some(toward),
        Need::None(reason) => {
            tracing::debug!(?reason, "no mapping");
            None
        }
    };
    let pinhole = || Need::pinhole(bind, ssh, host);
    mapping.into_iter().chain((client == Client::Roaming).then(pinhole).flatten()).collect()
}

impl Need {
    fn of(client: Client, bind: &Bind, ssh: Option<SshConnection>, host: &Attachment) -> Self {
        let Some(gateway) = host.gateway_v4() else { return Self::None(Reason::NoDefaultRoute) };
        if client == Client::Stock
            && let Some(reason) = ssh.and_then(|ssh| reaches_us_directly(ssh.client, host))
        {
            return Self::None(reason);
        }
        match toward(gateway, bind, ssh, host) {
            Ok(Toward { internal, .. }) if reach(internal) == Reach::Public => {
                Self::None(Reason::OwnAddressIsPublic)
            }
            Ok(toward) => Self::Mapping(toward),
            Err(reason) => Self::None(reason),
        }
    }

    /// Where a pinhole would serve: for a public IPv6 address that mosh-server listens on.
    fn pinhole(bind: &Bind, ssh: Option<SshConnection>, host: &Attachment) -> Option<Toward> {
        let listens_on_ipv6 = match bind {
            Bind::Any => false,
            Bind::Ssh => ssh.is_some_and(|ssh| ssh.server.is_ipv6()),
            Bind::Address(text) => text.parse().is_ok_and(|address: IpAddr| address.is_ipv6()),
        };
        let toward = toward(host.gateway_v6().filter(|_| listens_on_ipv6)?, bind, ssh, host).ok()?;
        (toward.internal.is_ipv6() && reach(toward.internal) == Reach::Public).then_some(toward)
    }
}

fn reaches_us_directly(client: IpAddr, host: &Attachment) -> Option<Reason> {
    if client.is_ipv6() {
        return Some(Reason::ClientOverIpv6);
    }
    // A router that forwards ssh may put its own address in the place of the client's.
    (host.is_on_link(client) && !host.is_gateway(client)).then_some(Reason::ClientOnOurLink)
}

fn toward(
    gateway: Gateway,
    bind: &Bind,
    ssh: Option<SshConnection>,
    host: &Attachment,
) -> Result<Toward, Reason> {
    let listens_on = match bind {
        Bind::Any => None,
        Bind::Ssh => ssh.map(|ssh| ssh.server).filter(|server| host.is_own(*server)),
        Bind::Address(text) => match text.parse::<IpAddr>() {
            Ok(address) => Some(address).filter(|address| !address.is_unspecified()),
            Err(_) => return Err(Reason::ListensElsewhere),
        },
    };
    let internal = match listens_on {
        Some(address) if host.faces(address, gateway.address) => address,
        Some(_) => return Err(Reason::ListensElsewhere),
        None => gateway.source.ok_or(Reason::NoDefaultRoute)?,
    };
    Ok(Toward { gateway: gateway.address, internal, internal_is_fixed: listens_on.is_some() })
}

#[cfg(test)]
mod tests {
    use net::interfaces::LocalAddress;

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
        Need::of(Client::Stock, &bind, SshConnection::parse(ssh), &host("192.168.1.10", "192.168.1.1"))
    }

    fn toward(internal: &str, gateway: &str, internal_is_fixed: bool) -> Toward {
        Toward { gateway: address(gateway), internal: address(internal), internal_is_fixed }
    }

    fn mapping(internal: &str) -> Need {
        Need::Mapping(toward(internal, "192.168.1.1", true))
    }

    fn mapping_for_now(internal: &str) -> Need {
        Need::Mapping(toward(internal, "192.168.1.1", false))
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
        assert_eq!(Need::of(Client::Roaming, &Bind::Ssh, ssh, &host), Need::None(Reason::OwnAddressIsPublic));
    }

    #[test]
    fn a_client_that_may_leave_our_network_needs_one_wherever_it_is_now() {
        let host = host("192.168.1.10", "192.168.1.1");
        let need = |bind: Bind, ssh| Need::of(Client::Roaming, &bind, SshConnection::parse(ssh), &host);
        assert_eq!(need(Bind::Ssh, "192.168.1.50 4 192.168.1.10 22"), mapping("192.168.1.10"));
        assert_eq!(need(Bind::Any, "2a00::9 4 2a00::10 22"), mapping_for_now("192.168.1.10"));
        let elsewhere = need(Bind::Ssh, "10.8.0.1 4 10.8.0.2 22");
        assert_eq!(elsewhere, Need::None(Reason::ListensElsewhere));
    }

    #[test]
    fn a_pinhole_serves_a_public_ipv6_address_that_mosh_server_listens_on() {
        let mut host = host("192.168.1.10", "192.168.1.1");
        for own in ["2a00:7::10", "2a00:7::11", "fd07::10", "fe80::10"] {
            host.addresses.push(LocalAddress { interface: 2, address: address(own), prefix_length: 64 });
        }
        let pinhole = |bind: &str, ssh, host: &Attachment| {
            let bind = if bind == "ssh" { Bind::Ssh } else { Bind::Address(bind.into()) };
            Need::pinhole(&bind, SshConnection::parse(ssh), host)
        };
        assert_eq!(pinhole("::", "", &host), None, "no router");
        let source = Some(address("2a00:7::10"));
        host.gateways.push(Gateway { interface: 2, address: address("fe80::1"), source });
        for (bind, ssh, expected) in [
            ("::", "", Some(toward("2a00:7::10", "fe80::1", false))),
            ("2a00:7::11", "", Some(toward("2a00:7::11", "fe80::1", true))),
            ("ssh", "2a00::9 4 2a00:7::11 22", Some(toward("2a00:7::11", "fe80::1", true))),
            ("ssh", "fe80::9%eth0 4 fe80::10%eth0 22", None),
            ("ssh", "20.0.0.9 4 192.168.1.10 22", None),
            ("fd07::10", "", None),
            ("0.0.0.0", "", None),
        ] {
            assert_eq!(pinhole(bind, ssh, &host), expected, "{bind} {ssh}");
        }
    }
}
