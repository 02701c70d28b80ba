//! Which ports are for whom: one range for the whole LAN, or a part for each server, as the write-up suggests.
//!
//! Ports that only one host may map cannot be fought over.

use std::net::Ipv4Addr;

use thiserror::Error;

use crate::rule::{Network, PortRange, Rule};

/// The write-up's. mosh takes the lowest free port from 60001 on, so this is room for 23 sessions; and the fewer ports
/// a host of the LAN may open, the less an intruder on it can.
pub const DEFAULT_RANGE: PortRange = PortRange::new(60000, 60023);

/// The write-up's, again: the router has 60001-60005, the first server 60006-60010, and so on.
const PORTS_FOR_EACH: u16 = 5;

/// mosh-server(1): where it begins to look for a port, and where it ends.
pub const MOSH_PORTS: PortRange = PortRange::new(60001, 60999);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub name: String,
    pub address: Ipv4Addr,
}

/// What one host has of the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `None`: the router itself, which needs no rule.
    pub server: Option<Server>,
    pub ports: PortRange,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Shared(PortRange),
    Divided(Vec<Part>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{range} has {} ports; the router and {servers} servers need at least one each", range.count())]
pub struct TooFewPorts {
    pub range: PortRange,
    pub servers: usize,
}

impl Plan {
    /// Without servers the LAN shares the range. With some it is divided evenly, the router first; what is left over goes
    /// to the last.
    ///
    /// # Errors
    ///
    /// There are fewer ports than hosts.
    pub fn new(range: Option<PortRange>, servers: &[Server]) -> Result<Self, TooFewPorts> {
        if servers.is_empty() {
            return Ok(Self::Shared(range.unwrap_or(DEFAULT_RANGE)));
        }
        let hosts = u16::try_from(servers.len() + 1).unwrap_or(u16::MAX);
        let fitting = || PortRange::new(MOSH_PORTS.first, last_of(MOSH_PORTS.first, hosts));
        let range = range.unwrap_or_else(fitting);
        let each = u16::try_from(range.count() / u32::from(hosts)).unwrap_or(u16::MAX);
        if each == 0 {
            return Err(TooFewPorts { range, servers: servers.len() });
        }
        let owners = [None].into_iter().chain(servers.iter().cloned().map(Some));
        let mut parts: Vec<_> =
            (0..).zip(owners).map(|(index, server)| part(range, each, index, server)).collect();
        if let Some(last) = parts.last_mut() {
            last.ports.last = range.last;
        }
        Ok(Self::Divided(parts))
    }

    /// All ports of the plan.
    #[must_use]
    pub fn range(&self) -> PortRange {
        match self {
            Self::Shared(range) => *range,
            Self::Divided(parts) => {
                let first = parts.first().map_or(0, |part| part.ports.first);
                PortRange::new(first, parts.last().map_or(0, |part| part.ports.last))
            }
        }
    }

    #[must_use]
    pub fn rules(&self, network: Network) -> Vec<Rule> {
        match self {
            Self::Shared(range) => vec![Rule::allow(*range, network)],
            Self::Divided(parts) => parts.iter().filter_map(Part::rule).collect(),
        }
    }
}

impl Part {
    fn rule(&self) -> Option<Rule> {
        Some(Rule::allow(self.ports, Network::host(self.server.as_ref()?.address)))
    }
}

fn last_of(first: u16, hosts: u16) -> u16 {
    first.saturating_add(hosts.saturating_mul(PORTS_FOR_EACH)).saturating_sub(1)
}

fn part(range: PortRange, each: u16, index: u16, server: Option<Server>) -> Part {
    let first = range.first + index * each;
    Part { server, ports: PortRange::new(first, first + (each - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(count: u8) -> Vec<Server> {
        let server =
            |number| Server { name: format!("server{number}"), address: [192, 168, 1, 9 + number].into() };
        (1..=count).map(server).collect()
    }

    fn parts(range: Option<&str>, count: u8) -> Vec<String> {
        match Plan::new(range.map(|range| range.parse().unwrap()), &servers(count)).unwrap() {
            Plan::Divided(parts) => parts.iter().map(|part| part.ports.to_string()).collect(),
            Plan::Shared(range) => vec![range.to_string()],
        }
    }

    #[test]
    fn the_write_ups_numbers_are_the_default() {
        assert_eq!(parts(None, 0), ["60000-60023"]);
        assert_eq!(parts(None, 2), ["60001-60005", "60006-60010", "60011-60015"]);
    }

    #[test]
    fn a_range_is_divided_evenly_the_router_first() {
        assert_eq!(parts(Some("60001-60023"), 1), ["60001-60011", "60012-60023"]);
        assert_eq!(parts(Some("60001-60003"), 2), ["60001", "60002", "60003"]);
        assert_eq!(parts(Some("0-65535"), 1), ["0-32767", "32768-65535"]);
    }

    #[test]
    fn each_server_may_map_its_own_part_only() {
        let plan = Plan::new(None, &servers(2)).unwrap();
        let rules: Vec<_> = plan.rules(Network::ALL).iter().map(ToString::to_string).collect();
        assert_eq!(
            rules,
            [
                "allow 60006-60010 192.168.1.10/32 60006-60010",
                "allow 60011-60015 192.168.1.11/32 60011-60015"
            ]
        );
        assert_eq!(plan.range(), PortRange::new(60001, 60015));
    }

    #[test]
    fn too_few_ports_are_refused() {
        let error = Plan::new(Some(PortRange::new(60001, 60002)), &servers(2)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "60001-60002 has 2 ports; the router and 2 servers need at least one each"
        );
    }
}
