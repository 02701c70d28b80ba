//! Links: bridges in a namespace of their own, and the wires from them into the hosts.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, ensure};

use crate::configure::{ip, write_sysctl};
use crate::namespace::Namespaces;

/// The kernel's limit for an interface's name.
pub(crate) const MAX_INTERFACE_NAME: usize = 15;

/// An Ethernet that hosts attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub(crate) name: String,
}

/// The namespace of all bridges of a lab. No host can see it and it has no way out.
#[derive(Debug)]
pub(crate) struct Fabric {
    pub(crate) namespaces: Namespaces,
    ports: AtomicU32,
}

impl Fabric {
    pub(crate) fn new(namespaces: Namespaces) -> Result<Self> {
        let fabric = Self { namespaces, ports: AtomicU32::new(0) };
        fabric.namespaces.enter(|| write_sysctl("net.ipv6.conf.default.disable_ipv6", "1"))?;
        Ok(fabric)
    }

    pub(crate) fn add_link(&self, name: &str) -> Result<Link> {
        ensure!(
            (1..=MAX_INTERFACE_NAME).contains(&name.len()),
            "a link's name has 1 to {MAX_INTERFACE_NAME} bytes, {name:?} has not"
        );
        // Snooping would keep SSDP's multicast from hosts until a querier is heard, and there is none.
        self.ip(&format!(
            "link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set {name} up\n"
        ))?;
        Ok(Link { name: name.to_owned() })
    }

    /// Puts an interface of that name into the host whose holder is `holder`.
    pub(crate) fn wire(&self, link: &Link, interface: &str, holder: u32) -> Result<()> {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        self.ip(&format!(
            "link add {port} type veth peer name {interface} netns {holder}\n\
             link set {port} master {} up\n",
            link.name
        ))
    }

    fn ip(&self, batch: &str) -> Result<()> {
        self.namespaces.enter(|| ip(batch))
    }
}
