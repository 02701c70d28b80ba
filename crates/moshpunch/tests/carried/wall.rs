//! Firewalls that let ssh through, and no UDP.

use anyhow::Result;
use lab::{Host, WriteUp};

use crate::common::home::nft;

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
        raise_at(self.machine(network), self.hooks())
    }

    pub(crate) fn fall(self, network: &WriteUp) -> Result<()> {
        fall_at(self.machine(network))
    }

    fn machine(self, network: &WriteUp) -> &Host {
        match self {
            Self::AtLaptop | Self::TowardLaptop => &network.laptop,
            Self::AtHost | Self::TowardHost => &network.router,
        }
    }

    fn hooks(self) -> &'static [Hook] {
        match self {
            Self::AtLaptop | Self::AtHost => &BOTH_WAYS,
            Self::TowardHost | Self::TowardLaptop => &[Hook::Prerouting],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Prerouting,
    Input,
    Output,
}

pub(crate) const BOTH_WAYS: [Hook; 2] = [Hook::Input, Hook::Output];

impl Hook {
    fn chain(self) -> String {
        let (name, interface) = match self {
            Self::Prerouting => ("prerouting", "iifname"),
            Self::Input => ("input", "iifname"),
            Self::Output => ("output", "oifname"),
        };
        let rule = format!("meta l4proto udp {interface} != \"lo\" drop;");
        format!("chain {name} {{ type filter hook {name} priority -10; {rule} }};")
    }
}

pub(crate) fn raise_at(machine: &Host, hooks: &[Hook]) -> Result<()> {
    let chains: String = hooks.iter().map(|hook| hook.chain()).collect();
    nft(machine, &format!("table inet wall {{ {chains} }}\n"))
}

pub(crate) fn fall_at(machine: &Host) -> Result<()> {
    nft(machine, "delete table inet wall\n")
}
