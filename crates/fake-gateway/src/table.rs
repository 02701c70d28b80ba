//! The table of mappings that all protocols share.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use portmap::mapping::Transport;

use crate::builder::Protocol;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub transport: Transport,
    pub external_port: u16,
    pub client: Ipv4Addr,
    pub internal_port: u16,
    pub description: String,
    /// As granted; 0 = for ever.
    pub lease_seconds: u32,
    pub made_by: Protocol,
}

impl Mapping {
    /// What another client might have made: UDP, by UPnP, for an hour.
    #[must_use]
    pub fn udp(external_port: u16, client: Ipv4Addr, internal_port: u16, description: &str) -> Self {
        Self {
            transport: Transport::Udp,
            external_port,
            client,
            internal_port,
            description: description.into(),
            lease_seconds: 3_600,
            made_by: Protocol::Upnp,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) mapping: Mapping,
    /// Of the PCP client that made it.
    pub(crate) nonce: Option<[u8; 12]>,
    expires: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: BTreeMap<(Transport, u16), Entry>,
}

/// Why there is no port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPort {
    NoneAllowed,
    AllTaken,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.entries.values().map(|entry| &entry.mapping)
    }

    pub(crate) fn get(&self, transport: Transport, external_port: u16) -> Option<&Mapping> {
        self.entries.get(&(transport, external_port)).map(|entry| &entry.mapping)
    }

    /// What a client has for one of its ports.
    pub(crate) fn of_client(
        &self,
        client: Ipv4Addr,
        transport: Transport,
        internal_port: u16,
    ) -> Option<&Entry> {
        self.entries.values().find(|Entry { mapping, .. }| {
            (mapping.client, mapping.transport, mapping.internal_port) == (client, transport, internal_port)
        })
    }

    pub(crate) fn insert(&mut self, mapping: Mapping, nonce: Option<[u8; 12]>, now: Instant) {
        let lease = Duration::from_secs(mapping.lease_seconds.into());
        let expires = (!lease.is_zero()).then(|| now + lease);
        self.entries.insert((mapping.transport, mapping.external_port), Entry { mapping, nonce, expires });
    }

    pub(crate) fn remove(&mut self, transport: Transport, external_port: u16) -> Option<Mapping> {
        self.entries.remove(&(transport, external_port)).map(|entry| entry.mapping)
    }

    /// Whether there was one, of any transport.
    pub(crate) fn expire(&mut self, external_port: u16) -> bool {
        let before = self.len();
        self.entries.retain(|(_, port), _| *port != external_port);
        self.len() < before
    }

    pub(crate) fn remove_made_by(&mut self, protocol: Protocol, client: Ipv4Addr, transport: Transport) {
        self.entries.retain(|_, Entry { mapping, .. }| {
            (mapping.made_by, mapping.client, mapping.transport) != (protocol, client, transport)
        });
    }

    pub(crate) fn remove_expired(&mut self, now: Instant) {
        self.entries.retain(|_, entry| entry.expires.is_none_or(|expires| now < expires));
    }

    /// The wanted port, or the next one above that is allowed and free; from the top it goes on at the bottom.
    pub(crate) fn free_port(
        &self,
        transport: Transport,
        wanted: u16,
        allowed: &RangeInclusive<u16>,
    ) -> Result<u16, NoPort> {
        let around = (wanted..=u16::MAX).chain(1..wanted);
        let mut candidates = around.filter(|port| *port > 0 && allowed.contains(port)).peekable();
        if candidates.peek().is_none() {
            return Err(NoPort::NoneAllowed);
        }
        candidates.find(|port| self.get(transport, *port).is_none()).ok_or(NoPort::AllTaken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_followed_by_the_next_allowed_one() {
        let mut table = Table::default();
        let client = Ipv4Addr::new(192, 168, 1, 10);
        for port in [60001, 60003] {
            table.insert(Mapping::udp(port, client, port, ""), None, net::clock::now());
        }
        let free = |wanted, allowed| table.free_port(Transport::Udp, wanted, &allowed);
        assert_eq!(free(60001, 60001..=60003), Ok(60002));
        assert_eq!(free(60003, 60001..=60003), Ok(60002));
        assert_eq!(free(60001, 60003..=60003), Err(NoPort::AllTaken));
        assert_eq!(free(60001, 0..=0), Err(NoPort::NoneAllowed));
        assert_eq!(table.free_port(Transport::Tcp, 60001, &(1..=65535)), Ok(60001));
    }
}
