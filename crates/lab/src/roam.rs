//! Hosts that change their place in the network while their programs run.

use anyhow::{Context as _, Result};

use crate::configure::{ip, ip6};
use crate::host::Host;
use crate::impairment::{Direction, Impairment};
use crate::link::Link;

impl Host {
    /// Takes an interface to another link, as a laptop goes from one Wi-Fi to the next: the carrier is lost, the
    /// old addresses and their default routes go, the carrier is back, the new ones come.
    ///
    /// # Errors
    /// When there is no such interface, or an address or gateway is not one.
    pub fn join(&self, interface: &str, link: &Link, addresses: &[&str], gateways: &[&str]) -> Result<()> {
        self.check_interface(interface)?;
        let fabric = &self.lab().fabric;
        fabric.unplug(self.holder_pid(), interface)?;
        self.inside(|| forget_addresses(interface))?;
        fabric.plug(self.holder_pid(), interface, link.name())?;
        self.change_place(|place| {
            place.readdress(interface, addresses, gateways);
            for attachment in place.attachments.iter_mut().filter(|found| found.interface == interface) {
                link.name().clone_into(&mut attachment.link);
            }
        });
        self.bring_up(interface)
    }

    /// Exchanges all addresses of an interface, and the default routes through it.
    ///
    /// # Errors
    /// When there is no such interface, or an address or gateway is not one.
    pub fn readdress(&self, interface: &str, addresses: &[&str], gateways: &[&str]) -> Result<()> {
        self.check_interface(interface)?;
        self.inside(|| forget_addresses(interface))?;
        self.change_place(|place| place.readdress(interface, addresses, gateways));
        self.bring_up(interface)
    }

    /// Shuts an interface down, as `ip link set … down` does: its routes go, and its IPv6 addresses.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn interface_down(&self, interface: &str) -> Result<()> {
        self.inside(|| ip(&format!("link set {interface} down\n")))
    }

    /// Brings an interface up again, with its addresses and routes.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn interface_up(&self, interface: &str) -> Result<()> {
        self.check_interface(interface)?;
        self.bring_up(interface)
    }

    /// Impairs what one interface sends or gets, beside what its link does; [`Impairment::NONE`] ends it.
    /// [`Link::impair`](crate::Link::impair) tells how precise a delay is.
    ///
    /// # Errors
    /// When there is no such interface, or the machine offers no TAP interfaces for a delay.
    pub fn impair(&self, interface: &str, direction: Direction, impairment: Impairment) -> Result<()> {
        self.lab().fabric.impair_wire(self.holder_pid(), interface, direction, impairment)
    }

    fn bring_up(&self, interface: &str) -> Result<()> {
        self.inside(|| ip(&self.place().addressing_of(interface)))?;
        self.lab().tell_names()
    }

    fn check_interface(&self, interface: &str) -> Result<()> {
        let place = self.place();
        place.attachment(interface).with_context(|| format!("{} has no {interface}", self.name())).map(drop)
    }
}

/// An IPv4 default route goes with its address; an IPv6 one stays.
fn forget_addresses(interface: &str) -> Result<()> {
    ip(&format!("address flush dev {interface} scope global\n"))?;
    ip6(&format!("route flush default dev {interface}\n"))
}
