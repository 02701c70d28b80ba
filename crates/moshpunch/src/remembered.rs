//! Where UPnP answered on which network, so that the next session need not wait for a search.
//!
//! A network is known by its gateway's address *and* hardware address: half of all homes call their router
//! 192.168.1.1. What is remembered is asked beside the usual search, and believed no further than its answer.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use portmap::mapper;
use portmap::upnp::client::Control;
use portmap::upnp::url::Url;
use serde::{Deserialize, Serialize};

/// A traveller's networks of a season; then it begins anew.
const NETWORKS_MAXIMUM: usize = 64;

const FILE_BYTES_MAXIMUM: u64 = 256 * 1024;

/// proc_pid_net(5), `arp`.
const ARP_TABLE: &str = "/proc/net/arp";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Networks(BTreeMap<String, Service>);

#[derive(Debug, Serialize, Deserialize)]
struct Service {
    control_url: String,
    service_type: String,
}

/// What is known of the network behind `gateway`.
pub(crate) fn recall(gateway: IpAddr) -> Option<Control> {
    let network = network(gateway, &fs::read_to_string(ARP_TABLE).ok()?)?;
    Networks::read(&path()?).control(&network, gateway)
}

/// For the next session; that it could not be written down is no harm. What is asked at the gateway's address needs no
/// memory.
pub(crate) fn remember(control: &mapper::Control) {
    if let mapper::Control::Upnp(control) = control
        && let Err(error) = try_remember(control)
    {
        tracing::debug!(%error, "not remembered");
    }
}

fn try_remember(control: &Control) -> Result<()> {
    let path = path().context("no home directory")?;
    let network = network(control.gateway, &fs::read_to_string(ARP_TABLE)?).context("no hardware address")?;
    let mut networks = Networks::read(&path);
    if networks.control(&network, control.gateway).is_some_and(|known| known.url == control.url) {
        return Ok(());
    }
    networks.insert(network, control);
    networks.write(&path)
}

fn path() -> Option<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        Some(base) if base.is_absolute() => base,
        _ => PathBuf::from(env::var_os("HOME")?).join(".cache"),
    };
    Some(base.join("moshpunch/gateways.json"))
}

/// The gateway's address with its hardware address, as long as the kernel knows that.
fn network(gateway: IpAddr, arp_table: &str) -> Option<String> {
    let words = arp_table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut entries =
        words.filter_map(|words| Some((words.first()?.parse::<IpAddr>().ok()?, *words.get(3)?)));
    let (_, hardware) = entries.find(|(address, hardware)| *address == gateway && *hardware != UNRESOLVED)?;
    Some(format!("{gateway} {hardware}"))
}

const UNRESOLVED: &str = "00:00:00:00:00:00";

impl Networks {
    fn read(path: &Path) -> Self {
        let small = fs::metadata(path).is_ok_and(|file| file.len() <= FILE_BYTES_MAXIMUM);
        let text = if small { fs::read(path).unwrap_or_default() } else { Vec::new() };
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write(&self, path: &Path) -> Result<()> {
        let directory = path.parent().context("a file is in a directory")?;
        fs::create_dir_all(directory)?;
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(&new, path)?)
    }

    fn control(&self, network: &str, gateway: IpAddr) -> Option<Control> {
        let Service { control_url, service_type } = self.0.get(network)?;
        // Security: a file that somebody else could have written must not lead elsewhere.
        let url = Url::parse(control_url).ok().filter(|url| url.served_by(gateway))?;
        let plain = |character: char| character.is_ascii_alphanumeric() || ":-._".contains(character);
        let service_type = service_type.chars().all(plain).then(|| service_type.clone())?;
        Some(Control { gateway, url, service_type, external_address: None })
    }

    fn insert(&mut self, network: String, control: &Control) {
        if self.0.len() >= NETWORKS_MAXIMUM {
            self.0.clear();
        }
        let (control_url, service_type) = (control.url.to_string(), control.service_type.clone());
        self.0.insert(network, Service { control_url, service_type });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARP: &str = "IP address       HW type     Flags       HW address            Mask     Device\n\
                       192.168.1.1      0x1         0x2         02:00:00:00:00:01     *        eth0\n\
                       192.168.1.7      0x1         0x0         00:00:00:00:00:00     *        eth0\n";

    fn gateway() -> IpAddr {
        "192.168.1.1".parse().unwrap()
    }

    fn control(url: &str) -> Control {
        let service_type = "urn:schemas-upnp-org:service:WANIPConnection:1".into();
        Control { gateway: gateway(), url: Url::parse(url).unwrap(), service_type, external_address: None }
    }

    #[test]
    fn a_network_is_known_by_both_addresses_of_its_gateway() {
        assert_eq!(network(gateway(), ARP).as_deref(), Some("192.168.1.1 02:00:00:00:00:01"));
        assert_eq!(network("192.168.1.7".parse().unwrap(), ARP), None, "not resolved");
        assert_eq!(network("192.168.1.8".parse().unwrap(), ARP), None);
    }

    #[test]
    fn what_is_remembered_holds_for_that_network_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache/gateways.json");
        let mut networks = Networks::default();
        networks.insert("192.168.1.1 02:00:00:00:00:01".into(), &control("http://192.168.1.1:5000/ctl"));
        networks.write(&path).unwrap();
        let networks = Networks::read(&path);
        let recalled = networks.control("192.168.1.1 02:00:00:00:00:01", gateway());
        assert_eq!(recalled, Some(control("http://192.168.1.1:5000/ctl")));
        assert_eq!(networks.control("192.168.1.1 02:00:00:00:00:02", gateway()), None);
    }

    #[test]
    fn a_file_that_leads_to_another_host_or_cannot_be_read_is_as_none() {
        let mut networks = Networks::default();
        networks.insert("n".into(), &control("http://192.168.1.2/ctl"));
        assert_eq!(networks.control("n", gateway()), None);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateways.json");
        fs::write(&path, "{ not json").unwrap();
        assert!(Networks::read(&path).0.is_empty());
    }

    #[test]
    fn the_number_of_networks_is_bounded() {
        let mut networks = Networks::default();
        for number in 0..1000 {
            networks.insert(number.to_string(), &control("http://192.168.1.1/ctl"));
        }
        assert!(networks.0.len() <= NETWORKS_MAXIMUM);
    }
}
