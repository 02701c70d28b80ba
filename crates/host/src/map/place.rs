//! From which address which gateway is asked.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::Context;
use net::MapperSockets;
use net::interfaces::{Attachment, source_toward};

use super::failure::Failure;
use crate::map::exit_code::ExitCode;

/// What was said of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Where {
    /// An address of this host; the one toward the gateway, if nothing is said.
    pub internal: Option<Ipv4Addr>,
    /// The router of the default route, if nothing is said.
    pub gateway: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) internal: IpAddr,
    pub(super) gateway: IpAddr,
}

impl Place {
    pub(super) fn find(said: &Where) -> Result<Self, Failure> {
        Self::resolve(said, &Attachment::read()?, source_toward)
    }

    fn resolve(
        said: &Where,
        host: &Attachment,
        source_toward: impl Fn(IpAddr) -> Option<IpAddr>,
    ) -> Result<Self, Failure> {
        let told = said.gateway.map(IpAddr::from);
        let gateway = told.or_else(|| host.gateway_v4().map(|gateway| gateway.address));
        let gateway = gateway.ok_or_else(no_default_route)?;
        let told = said.internal.map(IpAddr::from);
        let internal = told.or_else(|| source_toward(gateway)).ok_or_else(|| no_way_to(gateway))?;
        Ok(Self { internal, gateway })
    }

    pub(super) fn sockets(self) -> Result<MapperSockets, Failure> {
        let opened = MapperSockets::open(self.internal, Some(self.gateway));
        opened.map_err(|error| match error.kind() {
            ErrorKind::AddrNotAvailable => not_here(self.internal),
            _ => Err::<(), _>(error).context(self.internal).expect_err("it is one").into(),
        })
    }
}

fn no_default_route() -> Failure {
    Failure::new(
        ExitCode::NoGateway,
        "this host has no IPv4 default route",
        "connect it, or name the router with --gateway",
    )
}

fn no_way_to(gateway: IpAddr) -> Failure {
    Failure::new(
        ExitCode::NoGateway,
        format!("this host has no way to {gateway}"),
        "name a router of a network that it is attached to",
    )
}

fn not_here(internal: IpAddr) -> Failure {
    Failure::new(
        ExitCode::Failure,
        format!("{internal} is not an address of this host"),
        "`ip address` shows those that are",
    )
}

#[cfg(test)]
mod tests {
    use net::interfaces::Gateway;

    use super::*;

    fn said(internal: Option<&str>, gateway: Option<&str>) -> Where {
        let address = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        Where { internal: internal.map(address), gateway: gateway.map(address) }
    }

    fn host(gateways: &[&str]) -> Attachment {
        let gateway = |text: &&str| Gateway { interface: 2, address: text.parse().unwrap(), source: None };
        Attachment { addresses: Vec::new(), gateways: gateways.iter().map(gateway).collect() }
    }

    fn resolve(said: &Where, host: &Attachment) -> Result<[String; 2], Failure> {
        let source =
            |gateway: IpAddr| (gateway != IpAddr::from([203, 0, 113, 1])).then_some([10, 0, 0, 2].into());
        let place = Place::resolve(said, host, source)?;
        Ok([place.internal.to_string(), place.gateway.to_string()])
    }

    #[test]
    fn the_default_gateway_is_asked_from_the_address_toward_it() {
        let host = host(&["fe80::1", "192.168.1.1", "10.0.0.1"]);
        let place = resolve(&said(None, None), &host).unwrap();
        assert_eq!(place, ["10.0.0.2", "192.168.1.1"]);
    }

    #[test]
    fn what_was_said_wins() {
        let place = resolve(&said(Some("10.0.0.7"), Some("10.0.0.9")), &host(&["192.168.1.1"])).unwrap();
        assert_eq!(place, ["10.0.0.7", "10.0.0.9"]);
    }

    #[test]
    fn without_a_way_out_there_is_no_gateway() {
        let failure = resolve(&said(None, None), &host(&["fe80::1"])).unwrap_err();
        assert_eq!(failure, no_default_route());
        let failure = resolve(&said(None, Some("203.0.113.1")), &host(&[])).unwrap_err();
        assert_eq!(failure.code, ExitCode::NoGateway);
    }
}
