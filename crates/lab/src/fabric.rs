//! The bridges that links are, and the wires from them into the hosts.
//!
//! A wire is a pair of virtual Ethernet interfaces, one in the host, the other a port of the link's bridge. A wire
//! with a delay or a rate leads to a small bridge of its own instead, from which a relay carries frames to the link's.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};

use crate::configure::{ip, nft, write_sysctl};
use crate::delay_line::Pace;
use crate::impairment::{Direction, Impairment, rules};
use crate::namespace::Namespaces;
use crate::relay::Relay;

/// The kernel's limit for an interface's name.
const MAX_INTERFACE_NAME: usize = 15;
/// Snooping would keep SSDP's multicast from hosts until a querier is heard, and there is none.
const BRIDGE: &str = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0";

/// The namespace of all bridges of a lab. No host can see it and it has no way out.
#[derive(Debug)]
pub(crate) struct Fabric {
    pub(crate) namespaces: Namespaces,
    wiring: Mutex<Wiring>,
}

#[derive(Debug, Default)]
struct Wiring {
    links: BTreeMap<String, Impairment>,
    wires: Vec<Wire>,
}

#[derive(Debug)]
struct Wire {
    host: u32,
    interface: String,
    link: String,
    port: String,
    from_host: Impairment,
    to_host: Impairment,
    relay: Option<Relay>,
}

impl Fabric {
    pub(crate) fn new(namespaces: Namespaces) -> Result<Self> {
        let fabric = Self { namespaces, wiring: Mutex::default() };
        fabric.namespaces.enter(|| write_sysctl("net.ipv6.conf.default.disable_ipv6", "1"))?;
        Ok(fabric)
    }

    pub(crate) fn add_link(&self, name: &str) -> Result<()> {
        check_interface_name(name)?;
        self.ip(&format!("link add {name} {BRIDGE}\nlink set {name} up\n"))?;
        self.wiring().links.insert(name.to_owned(), Impairment::NONE);
        Ok(())
    }

    /// Puts an interface of that name into the host whose holder is `host`.
    pub(crate) fn wire(&self, link: &str, interface: &str, host: u32) -> Result<()> {
        check_interface_name(interface)?;
        let mut wiring = self.wiring();
        let port = format!("port{}", wiring.wires.len());
        self.ip(&format!(
            "link add {port} type veth peer name {interface} netns {host}\nlink set {port} master {link} up\n"
        ))?;
        wiring.wires.push(Wire {
            host,
            interface: interface.to_owned(),
            link: link.to_owned(),
            port,
            from_host: Impairment::NONE,
            to_host: Impairment::NONE,
            relay: None,
        });
        if wiring.links.get(link) == Some(&Impairment::NONE) { Ok(()) } else { self.apply(&mut wiring) }
    }

    /// Takes the host's interface off its link: the interface loses its carrier.
    pub(crate) fn unplug(&self, host: u32, interface: &str) -> Result<()> {
        let port = self.wiring().wire(host, interface)?.port.clone();
        self.ip(&format!("link set {port} down\n"))
    }

    /// Gives the interface a carrier again, on `link`.
    pub(crate) fn plug(&self, host: u32, interface: &str, link: &str) -> Result<()> {
        let mut wiring = self.wiring();
        let wire = wiring.wire(host, interface)?;
        link.clone_into(&mut wire.link);
        self.ip(&format!("link set {} master {link}\nlink set {} up\n", wire.end(), wire.port))?;
        self.apply(&mut wiring)
    }

    pub(crate) fn impair_link(&self, link: &str, impairment: Impairment) -> Result<()> {
        let mut wiring = self.wiring();
        wiring.links.insert(link.to_owned(), impairment);
        self.apply(&mut wiring)
    }

    pub(crate) fn impair_wire(
        &self,
        host: u32,
        interface: &str,
        direction: Direction,
        impairment: Impairment,
    ) -> Result<()> {
        let mut wiring = self.wiring();
        let wire = wiring.wire(host, interface)?;
        match direction {
            Direction::FromHost => wire.from_host = impairment,
            Direction::ToHost => wire.to_host = impairment,
        }
        self.apply(&mut wiring)
    }

    /// Ends the threads that carry frames; they hold the namespace.
    pub(crate) fn stop(&self) {
        self.wiring().wires.clear();
    }

    fn apply(&self, wiring: &mut Wiring) -> Result<()> {
        let Wiring { links, wires } = wiring;
        for wire in wires.iter_mut() {
            let of_link = links.get(&wire.link).copied().unwrap_or_default();
            let paces = [wire.from_host.pace_after(of_link), wire.to_host.pace_after(Impairment::NONE)];
            self.keep_back(wire, paces)?;
        }
        let impaired = wires.iter().flat_map(|wire| {
            let of_link = links.get(&wire.link).copied().unwrap_or_default();
            [
                (wire.port.as_str(), Direction::FromHost, of_link),
                (&wire.port, Direction::FromHost, wire.from_host),
                (&wire.port, Direction::ToHost, wire.to_host),
            ]
        });
        self.namespaces.enter(|| nft(&rules(impaired)))
    }

    /// Once a wire has a relay it keeps it, without delay, so that no frame is lost when a delay ends.
    fn keep_back(&self, wire: &mut Wire, paces: [Pace; 2]) -> Result<()> {
        if wire.relay.is_none() && paces != [Pace::AT_ONCE; 2] {
            wire.relay = Some(self.relay(&wire.port, &wire.link)?);
        }
        if let Some(relay) = &wire.relay {
            relay.keep_back(paces);
        }
        Ok(())
    }

    fn relay(&self, port: &str, link: &str) -> Result<Relay> {
        let (near, far) = (format!("{port}-near"), far_end(port));
        self.namespaces.enter(|| {
            let relay = Relay::between([&near, &far])?;
            ip(&format!(
                "link add {port}-own {BRIDGE}\nlink set {port}-own up\nlink set {near} master {port}-own up\n\
                 link set {far} master {link} up\nlink set {port} master {port}-own\n"
            ))?;
            Ok(relay)
        })
    }

    fn ip(&self, batch: &str) -> Result<()> {
        self.namespaces.enter(|| ip(batch))
    }

    fn wiring(&self) -> MutexGuard<'_, Wiring> {
        self.wiring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wiring {
    fn wire(&mut self, host: u32, interface: &str) -> Result<&mut Wire> {
        let mut wires = self.wires.iter_mut();
        let found = wires.find(|wire| wire.host == host && wire.interface == interface);
        found.with_context(|| format!("the host has no interface {interface}"))
    }
}

impl Wire {
    /// The port of the link's bridge.
    fn end(&self) -> String {
        if self.relay.is_some() { far_end(&self.port) } else { self.port.clone() }
    }
}

fn far_end(port: &str) -> String {
    format!("{port}-far")
}

fn check_interface_name(name: &str) -> Result<()> {
    let length = 1..=MAX_INTERFACE_NAME;
    ensure!(length.contains(&name.len()), "{name:?} is not a name of 1 to {MAX_INTERFACE_NAME} bytes");
    Ok(())
}
