//! Whose an entry of the router's table is.

use std::net::{IpAddr, SocketAddr};

use portmap::mapper::Protocol;
use portmap::mapping::Transport;
use portmap::upnp::soap::{InternalClient, PortMappingEntry};
use portmap::upnp::{Listing, Ours};

use crate::state::saved_mapping::SavedMapping;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A session of this user, or what `map add` made.
    Ours,
    ThisHost,
    /// Another moshpunch: `alice@server`.
    Moshpunch(String),
    AnotherHost,
}

/// A mapping that this user's state files tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    external_port: u16,
    transport: Transport,
    target: SocketAddr,
    /// `None`: made by a protocol that takes none along.
    listed: Option<(String, Listing)>,
}

impl Known {
    pub(super) fn new(mapping: &SavedMapping, description: &str) -> Self {
        Self {
            external_port: mapping.external_port.get(),
            transport: mapping.transport(),
            target: mapping.target(),
            listed: (mapping.protocol() == Protocol::Upnp)
                .then(|| (description.to_owned(), mapping.listing())),
        }
    }

    fn is(&self, entry: &PortMappingEntry) -> bool {
        entry.external_port == Some(self.external_port)
            && entry.transport == Some(self.transport)
            && match &self.listed {
                Some((description, listing)) => {
                    let (internal, internal_port) = (self.target.ip(), self.target.port());
                    Ours { internal, internal_port, description, listing }.is(entry)
                }
                None => {
                    entry.internal_client == InternalClient::Address(self.target.ip())
                        && entry.internal_port == self.target.port()
                }
            }
    }
}

impl Owner {
    pub(super) fn of(entry: &PortMappingEntry, known: &[Known], is_here: impl Fn(IpAddr) -> bool) -> Self {
        if known.iter().any(|known| known.is(entry)) {
            return Self::Ours;
        }
        if let Some(name) = moshpunch_name(&entry.description) {
            return Self::Moshpunch(name.to_owned());
        }
        match entry.internal_client {
            InternalClient::Address(address) if is_here(address) => Self::ThisHost,
            InternalClient::Address(_) | InternalClient::Name(_) => Self::AnotherHost,
        }
    }
}

/// `alice@server` of `moshpunch alice@server 1a2b3c4d`.
fn moshpunch_name(description: &str) -> Option<&str> {
    let (_, rest) = description.split_once("moshpunch ")?;
    rest.split(' ').next().filter(|name| name.contains('@'))
}

#[cfg(test)]
mod tests {
    use portmap::mapper::Control;

    use super::*;
    use crate::state::saved_mapping::tests::{saved, upnp_control};

    const OURS: &str = "moshpunch alice@server 1a2b3c4d";

    fn entry(client: &str, description: &str) -> PortMappingEntry {
        PortMappingEntry {
            external_port: Some(60001),
            transport: Some(Transport::Udp),
            internal_client: match client.parse() {
                Ok(address) => InternalClient::Address(address),
                Err(_) => InternalClient::Name(client.into()),
            },
            internal_port: 60001,
            enabled: true,
            description: description.into(),
            lease_seconds: None,
        }
    }

    fn owner(entry: &PortMappingEntry, known: &[Known]) -> Owner {
        Owner::of(entry, known, |address| address == IpAddr::from([192, 168, 1, 10]))
    }

    #[test]
    fn every_entry_has_an_owner() {
        let upnp = [Known::new(&saved(upnp_control("http://192.168.1.1/c"), Transport::Udp), OURS)];
        let moshpunch = |name: &str| Owner::Moshpunch(name.into());
        for (client, description, expected) in [
            ("192.168.1.10", OURS, Owner::Ours),
            ("192.168.1.10", "moshpunch alice@ser", Owner::Ours),
            ("192.168.1.10", "moshpunch bob@server 99999999", moshpunch("bob@server")),
            ("192.168.1.20", OURS, moshpunch("alice@server")),
            ("192.168.1.10", "a game", Owner::ThisHost),
            ("192.168.1.20", "moshpunch", Owner::AnotherHost),
            ("desktop", "a game", Owner::AnotherHost),
        ] {
            assert_eq!(owner(&entry(client, description), &upnp), expected, "{client} {description}");
        }
    }

    #[test]
    fn what_nat_pmp_made_is_known_by_its_ports_whatever_the_router_calls_it() {
        let control = Control::ControlPort { gateway: [192, 168, 1, 1].into(), nonce: None };
        let known = [Known::new(&saved(control, Transport::Udp), OURS)];
        assert_eq!(owner(&entry("192.168.1.10", "NAT-PMP 60001 udp"), &known), Owner::Ours);
        let tcp = PortMappingEntry { transport: Some(Transport::Tcp), ..entry("192.168.1.10", "x") };
        assert_eq!(owner(&tcp, &known), Owner::ThisHost);
    }
}
