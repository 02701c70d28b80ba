//! Where ssh is told to go.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::addresses::name_services;
use crate::addresses::reachable::{Witness, reachable, shown_host};
use crate::configuration::Configuration;
use crate::configuration::RemoteIp;

#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) host: String,
    /// Known before ssh says anything.
    pub(crate) address: Option<SocketAddr>,
}

impl Destination {
    /// Looks the name up if the user wants that to be done here. That blocks, and only the kernel's own way of handling
    /// signals ends it.
    pub(crate) fn of(configuration: &Configuration) -> Result<Self> {
        match configuration.remote_ip {
            RemoteIp::Local if !configuration.local => Self::resolved_here(configuration),
            _ => Ok(Self { host: configuration.host.clone(), address: None }),
        }
    }

    /// The user wants ssh to get the address. mosh's script takes the first, too.
    fn resolved_here(configuration: &Configuration) -> Result<Self> {
        let (user, name) = match configuration.host.rsplit_once('@') {
            Some((user, name)) => (format!("{user}@"), name),
            None => (String::new(), configuration.host.as_str()),
        };
        let addresses = name_services::addresses(name, 22).with_context(|| format!("looking up {name}"))?;
        let families = configuration.families;
        let allowed = |address: &SocketAddr| {
            families.allow(if address.is_ipv6() { path::Family::V6 } else { path::Family::V4 })
        };
        let address =
            addresses.into_iter().filter_map(|address| reachable(address, Witness::Name)).find(allowed);
        let address = address.with_context(|| format!("{name} has no address of the wanted family"))?;
        Ok(Self { host: format!("{user}{}", shown_host(address)), address: Some(address) })
    }
}
