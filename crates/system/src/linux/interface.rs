//! What an interface is: sysfs(5), an interface a directory. (In a container it may be missing, or be another network's.)

use std::fs;
use std::path::Path;

use crate::network::{Bridge, Interface, name_of};

const INTERFACES: &str = "/sys/class/net";

/// A VLAN on a bond on a card is two below. The kernel itself allows eight.
const LAYERS_MAXIMUM: usize = 8;

/// What is known of that interface.
#[must_use]
pub fn interface(index: u32) -> Interface {
    let directory = Path::new(INTERFACES);
    let interface =
        Interface { index, name: name_of(index).unwrap_or_default(), is_down: false, bridge: None };
    let own = directory.join(&interface.name);
    let described = read_trimmed(&own.join("ifindex")).is_some_and(|text| text == index.to_string());
    if !described {
        return interface;
    }
    let ports = entries(&own.join("brif"));
    let leads_to_hardware = || ports.iter().any(|port| is_on_hardware(directory, port, LAYERS_MAXIMUM));
    Interface {
        is_down: read_trimmed(&own.join("operstate")).is_some_and(|state| is_down(&state)),
        bridge: own.join("bridge").exists().then(|| Bridge { leads_to_hardware: leads_to_hardware() }),
        ..interface
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
