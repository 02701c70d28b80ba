//! What is wanted, and how far the search for a port has come.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::ports::PortChoice;
use super::super::values::{External, Wanted};
use crate::client::{Grant, Request};

#[derive(Debug)]
pub(super) struct Job {
    pub(super) wanted: Wanted,
    pub(super) ports: PortChoice,
    pub(super) action_failures: usize,
}

impl Job {
    /// `allowed`: what the rules are remembered to allow.
    pub(super) fn new(
        wanted: Wanted,
        internal: IpAddr,
        allowed: Option<&RangeInclusive<NonZeroU16>>,
    ) -> Self {
        let ports = match &wanted.external {
            // A pinhole has one port.
            _ if internal.is_ipv6() => PortChoice::only(wanted.internal_port),
            External::Within(range) if !range.contains(&wanted.internal_port) => {
                PortChoice::new(*range.start(), range.clone())
            }
            External::Near(range) => match allowed {
                Some(allowed) => PortChoice::spread(wanted.internal_port, range.clone(), allowed, internal),
                None => PortChoice::new(wanted.internal_port, range.clone()),
            },
            External::Within(range) => PortChoice::new(wanted.internal_port, range.clone()),
            External::Only(port) => PortChoice::only(*port),
        };
        Self { wanted, ports, action_failures: 0 }
    }

    pub(super) fn is_exact(&self) -> bool {
        !matches!(self.wanted.external, External::Near(_))
    }

    pub(super) fn accepts(&self, port: NonZeroU16) -> bool {
        match &self.wanted.external {
            External::Near(_) => true,
            External::Within(range) => range.contains(&port),
            External::Only(only) => *only == port,
        }
    }

    pub(super) fn request(&self, lease: Duration) -> Request {
        Request {
            transport: self.wanted.transport,
            internal_port: self.wanted.internal_port,
            external_port: self.ports.current(),
            exact: self.is_exact(),
            lease,
        }
    }

    /// What the open question may make.
    pub(super) fn requested_grant(&self) -> Grant {
        Grant {
            external_address: None,
            external_port: self.ports.current(),
            internal_port: self.wanted.internal_port,
            lease: None,
        }
    }
}
