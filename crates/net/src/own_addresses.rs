//! This host's addresses with what tells which of them others could reach. What to make of it is the reader's.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

use rustix::net::sockopt::ipv6_v6only;
use socket2::{Domain, Protocol, Socket, Type};

/// sysfs(5), an interface a directory. (In a container it may be missing, or be another network's.)
const INTERFACES: &str = "/sys/class/net";

/// proc_pid_net(5), `if_inet6`.
const ADDRESSES_V6: &str = "/proc/self/net/if_inet6";

/// A VLAN on a bond on a card is two below. The kernel itself allows eight.
const LAYERS_MAXIMUM: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddress {
    pub address: IpAddr,
    pub standing: Standing,
    pub interface: Interface,
}

/// How a host uses an address (RFC 4862 §2, RFC 8981).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Stable,
    Temporary,
    /// Not to be used for what is new.
    Deprecated,
    /// It may be another host's.
    Tentative,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    /// Nothing is connected to it, as far as it tells.
    pub is_down: bool,
    pub bridge: Option<Bridge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bridge {
    /// One of its ports is a network card, or stands on one, as a VLAN does.
    pub leads_to_hardware: bool,
}

impl OwnAddress {
    /// All of this host, as the kernel lists them.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn all() -> io::Result<Vec<Self>> {
        let standings = fs::read_to_string(ADDRESSES_V6).unwrap_or_default();
        let own = getifs::interface_addrs()?;
        let own = own.iter().map(|own| Self {
            address: own.addr(),
            standing: standing_of(own.addr(), &standings),
            interface: Interface::read(own.index(), Path::new(INTERFACES)),
        });
        Ok(own.collect())
    }
}

impl Interface {
    fn read(index: u32, directory: &Path) -> Self {
        let name = getifs::ifindex_to_name(index).map(|name| name.to_string()).unwrap_or_default();
        let own = directory.join(&name);
        let interface = Self { index, name, is_down: false, bridge: None };
        let described = read_trimmed(&own.join("ifindex")).is_some_and(|text| text == index.to_string());
        if !described {
            return interface;
        }
        let ports = entries(&own.join("brif"));
        let leads_to_hardware = || ports.iter().any(|port| is_on_hardware(directory, port, LAYERS_MAXIMUM));
        Self {
            is_down: read_trimmed(&own.join("operstate")).is_some_and(|state| is_down(&state)),
            bridge: own.join("bridge").exists().then(|| Bridge { leads_to_hardware: leads_to_hardware() }),
            ..interface
        }
    }
}

/// Whether a socket bound to `::` that asks for it serves IPv4, too; mosh-server's asks.
#[must_use]
pub fn is_dual_stack() -> bool {
    let bound = || {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_only_v6(false)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into())
    };
    bound().is_ok()
}

/// Whether an IPv6 socket that asks for nothing does, as `net.ipv6.bindv6only` has it; mosh-client's asks for nothing.
#[must_use]
pub fn is_dual_stack_unasked() -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok_and(|socket| ipv6_v6only(&socket) == Ok(false))
}

/// RFC 2863 §3.1.14. Tunnels say `unknown`.
fn is_down(state: &str) -> bool {
    ["down", "lowerlayerdown", "notpresent"].contains(&state)
}

/// A card has a device; what stands on others names each by a link `lower_…`.
fn is_on_hardware(directory: &Path, name: &str, layers: usize) -> bool {
    let own = directory.join(name);
    let lower =
        || entries(&own).into_iter().filter_map(|entry| Some(entry.strip_prefix("lower_")?.to_owned()));
    own.join("device").exists()
        || (layers > 0 && lower().any(|lower| is_on_hardware(directory, &lower, layers - 1)))
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn read_trimmed(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// `if_inet6`: address, interface, prefix length, scope, flags (`IFA_F_*` of linux/if_addr.h), name; in hexadecimal.
fn standing_of(address: IpAddr, table: &str) -> Standing {
    const TEMPORARY: u32 = 0x01;
    const DEPRECATED: u32 = 0x20;
    const TENTATIVE: u32 = 0x40;
    const DUPLICATE: u32 = 0x08;
    let IpAddr::V6(address) = address else { return Standing::Stable };
    let written = format!("{:032x}", address.to_bits());
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|words| words.first().is_some_and(|word| *word == written));
    let flags = line.and_then(|words| u32::from_str_radix(words.get(4)?, 16).ok()).unwrap_or(0);
    match flags {
        _ if flags & (TENTATIVE | DUPLICATE) != 0 => Standing::Tentative,
        _ if flags & DEPRECATED != 0 => Standing::Deprecated,
        _ if flags & TEMPORARY != 0 => Standing::Temporary,
        _ => Standing::Stable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_tells_how_an_address_stands() {
        let table = "2a000007000000000000000000000010 02 40 00 80     eth0\n\
                     2a000007000000000000000000000011 02 40 00 01     eth0\n\
                     2a000007000000000000000000000012 02 40 00 21     eth0\n\
                     2a000007000000000000000000000013 02 40 00 c0     eth0\n";
        for (address, expected) in [
            ("2a00:7::10", Standing::Stable),
            ("2a00:7::11", Standing::Temporary),
            ("2a00:7::12", Standing::Deprecated),
            ("2a00:7::13", Standing::Tentative),
            ("2a00:7::14", Standing::Stable),
            ("192.168.1.10", Standing::Stable),
        ] {
            assert_eq!(standing_of(address.parse().unwrap(), table), expected, "{address}");
        }
    }

    /// Bridges: one with a card behind a VLAN, one of virtual machines.
    #[test]
    fn a_bridge_leads_to_hardware_where_a_port_stands_on_a_card() {
        let directory = tempfile::tempdir().unwrap();
        for made in ["eth0/device", "eth0.7/lower_eth0", "vnet0", "br0/brif/eth0.7", "virbr0/brif/vnet0"] {
            fs::create_dir_all(directory.path().join(made)).unwrap();
        }
        let leads = |name: &str| is_on_hardware(directory.path(), name, LAYERS_MAXIMUM);
        assert_eq!([leads("eth0"), leads("eth0.7"), leads("vnet0")], [true, true, false]);
        assert_eq!(entries(&directory.path().join("br0/brif")), ["eth0.7"]);
    }

    #[test]
    fn loopback_is_an_address_of_every_host() {
        let own = OwnAddress::all().unwrap();
        let loopback = own.iter().find(|own| own.address.is_loopback()).unwrap();
        assert_eq!((loopback.interface.name.as_str(), loopback.interface.is_down), ("lo", false));
        assert_eq!(loopback.interface.bridge, None);
    }
}
