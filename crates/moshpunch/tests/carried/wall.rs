//! Firewalls that let ssh through, and no UDP.

use anyhow::Result;
use lab::{Blocked, Host, WriteUp};

/// Where UDP is dropped. Whoever sends it on a machine that lets none out is told so; else nobody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wall {
    /// On the laptop, both ways.
    AtLaptop,
    /// On the host, both ways.
    AtHost,
    /// On the way to the host alone.
    TowardHost,
    /// On the way to the laptop alone.
    TowardLaptop,
}

impl Wall {
    /// Around the sessions of the router itself.
    pub(crate) fn raise(self, network: &WriteUp) -> Result<()> {
        self.machine(network).block_udp(self.blocks())
    }

    pub(crate) fn fall(self, network: &WriteUp) -> Result<()> {
        self.machine(network).let_udp_through()
    }

    fn machine(self, network: &WriteUp) -> &Host {
        match self {
            Self::AtLaptop | Self::TowardLaptop => &network.laptop,
            Self::AtHost | Self::TowardHost => &network.router,
        }
    }

    fn blocks(self) -> Blocked {
        match self {
            Self::AtLaptop | Self::AtHost => Blocked::BothWays,
            Self::TowardHost | Self::TowardLaptop => Blocked::Incoming,
        }
    }
}
