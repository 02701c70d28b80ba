//! The mappings that a router holds, as its lease file tells them.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};

use crate::host::Host;
use crate::miniupnpd::LEASE_FILE;
use crate::nat::Protocol;

/// A line of miniupnpd's lease file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub protocol: Protocol,
    pub external_port: u16,
    pub internal_address: Ipv4Addr,
    pub internal_port: u16,
    /// In seconds since 1970; 0 for a lease without end.
    pub expires: u64,
    pub description: String,
}

impl Lease {
    /// Reads `PROTO:eport:iaddr:iport:timestamp:desc`, the format of miniupnpd until 2.3.11.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.splitn(6, ':').collect();
        let [protocol, external_port, internal_address, internal_port, expires, description] = fields[..]
        else {
            return None;
        };
        let protocol = match protocol {
            "TCP" => Protocol::Tcp,
            "UDP" => Protocol::Udp,
            _ => return None,
        };
        Some(Self {
            protocol,
            external_port: external_port.parse().ok()?,
            internal_address: internal_address.parse().ok()?,
            internal_port: internal_port.parse().ok()?,
            expires: expires.parse().ok()?,
            description: description.to_owned(),
        })
    }
}

impl Host {
    /// What this router's miniupnpd has mapped, in the order of its file.
    ///
    /// # Errors
    /// When a line of the file is not a lease.
    pub fn leases(&self) -> Result<Vec<Lease>> {
        let file = self.inside(|| match std::fs::read_to_string(LEASE_FILE) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            file => file.context("reading the lease file"),
        })?;
        file.lines()
            .map(|line| Lease::parse(line).with_context(|| format!("{line:?} is not a lease")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_may_hold_colons() {
        let lease = Lease::parse("UDP:60001:192.168.1.10:60002:1795343934:moshpunch: alice@server").unwrap();
        assert_eq!(
            lease,
            Lease {
                protocol: Protocol::Udp,
                external_port: 60001,
                internal_address: Ipv4Addr::new(192, 168, 1, 10),
                internal_port: 60002,
                expires: 1_795_343_934,
                description: "moshpunch: alice@server".to_owned(),
            }
        );
    }

    #[test]
    fn what_is_cut_short_is_no_lease() {
        assert_eq!(Lease::parse("UDP:60001:192.168.1.10:60001:17953"), None);
        assert_eq!(Lease::parse("SCTP:60001:192.168.1.10:60001:1:x"), None);
        assert_eq!(Lease::parse("UDP:70001:192.168.1.10:60001:1:x"), None);
    }
}
