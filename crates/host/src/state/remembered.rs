//! Who served on which network, so that the next session asks that one first, and nobody else beside.
//!
//! A network is known by its gateway's address *and* hardware address: half of all homes call their router
//! 192.168.1.1. What is remembered says whom to ask, and is believed no further than the answer.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use net::directories;
use portmap::mapper::{Protocol, Remembered};
use portmap::upnp::Control;
use portmap::upnp::url::Url;
use serde::{Deserialize, Serialize};

/// A traveller's networks of a season; then it begins anew.
const NETWORKS_MAXIMUM: usize = 64;

const FILE_BYTES_MAXIMUM: u64 = 256 * 1024;

/// proc_pid_net(5), `arp`.
const ARP_TABLE: &str = "/proc/net/arp";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Networks(BTreeMap<String, Network>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Network {
    /// Where it is missing, UPnP served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control_port: Option<ControlPort>,
    #[serde(flatten)]
    service: Option<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allowed: Option<(NonZeroU16, NonZeroU16)>,
}

/// PCP or NAT-PMP served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct ControlPort {
    protocol: ControlPortProtocol,
    answers_within_milliseconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum ControlPortProtocol {
    Pcp,
    NatPmp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Service {
    control_url: String,
    service_type: String,
}

/// What is known of the network behind `gateway`.
pub(crate) fn recall(gateway: IpAddr) -> Option<Remembered> {
    known(gateway)?.remembered(gateway)
}

/// For the next session; that it could not be written down is no harm.
pub(crate) fn remember(gateway: IpAddr, learnt: &Remembered) {
    try_remember(gateway, |known| Network::learnt(learnt, known)).unwrap_or_else(|error| {
        tracing::debug!(%error, "not remembered");
    });
}

fn known(gateway: IpAddr) -> Option<Network> {
    let network = network(gateway, &fs::read_to_string(ARP_TABLE).ok()?)?;
    Networks::read(&path()?).0.remove(&network)
}

fn try_remember(gateway: IpAddr, what: impl FnOnce(Option<&Network>) -> Network) -> Result<()> {
    let path = path().context("no home directory")?;
    let network = network(gateway, &fs::read_to_string(ARP_TABLE)?).context("no hardware address")?;
    let mut networks = Networks::read(&path);
    let known = networks.0.get(&network);
    let learnt = what(known);
    if known == Some(&learnt) {
        return Ok(());
    }
    networks.insert(network, learnt);
    networks.write(&path)
}

fn path() -> Option<PathBuf> {
    Some(directories::cache()?.join("moshpunch/gateways.json"))
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

    fn insert(&mut self, network: String, learnt: Network) {
        if self.0.len() >= NETWORKS_MAXIMUM {
            self.0.clear();
        }
        self.0.insert(network, learnt);
    }
}

impl Network {
    fn remembered(&self, gateway: IpAddr) -> Option<Remembered> {
        let control = self.service.as_ref().and_then(|service| service.control(gateway));
        let protocol = match self.control_port.map(|control_port| control_port.protocol) {
            Some(ControlPortProtocol::Pcp) => Protocol::Pcp,
            Some(ControlPortProtocol::NatPmp) => Protocol::NatPmp,
            None => control.as_ref().map(|_| Protocol::Upnp)?,
        };
        let answer_time = self.control_port.map(|it| Duration::from_millis(it.answers_within_milliseconds));
        let allowed = self.allowed.filter(|(first, last)| first <= last).map(|(first, last)| first..=last);
        Some(Remembered { protocol, control, answer_time, allowed })
    }

    /// Beside what is known already.
    fn learnt(learnt: &Remembered, known: Option<&Self>) -> Self {
        let protocol = match learnt.protocol {
            Protocol::Pcp => Some(ControlPortProtocol::Pcp),
            Protocol::NatPmp => Some(ControlPortProtocol::NatPmp),
            Protocol::Upnp => None,
        };
        let answer_time = learnt.answer_time.unwrap_or_default();
        let control_port = protocol
            .map(|protocol| ControlPort { protocol, answers_within_milliseconds: magnitude(answer_time) });
        let service = learnt.control.as_ref().map(Service::at);
        let service = service.or_else(|| known.and_then(|known| known.service.clone()));
        let allowed = learnt.allowed.clone().map(RangeInclusive::into_inner);
        Self { control_port, service, allowed: allowed.or_else(|| known.and_then(|known| known.allowed)) }
    }
}

/// In milliseconds, as the next power of two: what is nearly the same is not written again.
fn magnitude(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 1).max(1).next_power_of_two()
}

impl Service {
    fn at(control: &Control) -> Self {
        Self { control_url: control.url.to_string(), service_type: control.service_type.clone() }
    }

    fn control(&self, gateway: IpAddr) -> Option<Control> {
        // Security: a file that somebody else could have written must not lead elsewhere.
        let url = Url::parse(&self.control_url).ok().filter(|url| url.served_by(gateway))?;
        let plain = |character: char| character.is_ascii_alphanumeric() || ":-._".contains(character);
        let service_type = self.service_type.chars().all(plain).then(|| self.service_type.clone())?;
        Some(Control { gateway, url, service_type, external_address: None })
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

    fn by_upnp(url: &str) -> Remembered {
        let service_type = "urn:schemas-upnp-org:service:WANIPConnection:1".into();
        let control = Control {
            gateway: gateway(),
            url: Url::parse(url).unwrap(),
            service_type,
            external_address: None,
        };
        Remembered { protocol: Protocol::Upnp, control: Some(control), answer_time: None, allowed: None }
    }

    fn by_pcp(milliseconds: u64) -> Remembered {
        let answer_time = Some(Duration::from_millis(milliseconds));
        Remembered { protocol: Protocol::Pcp, control: None, answer_time, allowed: None }
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
        let learnt = by_upnp("http://192.168.1.1:5000/ctl");
        networks.insert("192.168.1.1 02:00:00:00:00:01".into(), Network::learnt(&learnt, None));
        networks.write(&path).unwrap();
        let networks = Networks::read(&path);
        assert_eq!(networks.0["192.168.1.1 02:00:00:00:00:01"].remembered(gateway()), Some(learnt));
        assert!(!networks.0.contains_key("192.168.1.1 02:00:00:00:00:02"));
    }

    #[test]
    fn a_file_of_before_there_were_protocols_is_about_upnp() {
        let text = r#"{"n": {"control_url": "http://192.168.1.1:5000/ctl",
                             "service_type": "urn:schemas-upnp-org:service:WANIPConnection:1"}}"#;
        let networks: Networks = serde_json::from_str(text).unwrap();
        assert_eq!(networks.0["n"].remembered(gateway()), Some(by_upnp("http://192.168.1.1:5000/ctl")));
    }

    #[test]
    fn what_served_last_comes_first_and_the_rest_stays() {
        let mut known = Network::learnt(&by_upnp("http://192.168.1.1:5000/ctl"), None);
        known.allowed = Some((NonZeroU16::MIN, NonZeroU16::MAX));
        let known = Network::learnt(&by_pcp(300), Some(&known));
        let text = serde_json::to_string(&known).unwrap();
        let recalled = serde_json::from_str::<Network>(&text).unwrap().remembered(gateway()).unwrap();
        assert_eq!(recalled.protocol, Protocol::Pcp);
        assert_eq!(recalled.answer_time, Some(Duration::from_millis(512)));
        assert_eq!(recalled.control, by_upnp("http://192.168.1.1:5000/ctl").control);
        assert_eq!(recalled.allowed, Some(NonZeroU16::MIN..=NonZeroU16::MAX));
    }

    #[test]
    fn a_file_that_leads_to_another_host_or_cannot_be_read_is_as_none() {
        assert_eq!(Network::learnt(&by_upnp("http://192.168.1.2/ctl"), None).remembered(gateway()), None);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateways.json");
        fs::write(&path, "{ not json").unwrap();
        assert!(Networks::read(&path).0.is_empty());
    }

    #[test]
    fn the_number_of_networks_is_bounded() {
        let mut networks = Networks::default();
        for number in 0..1000 {
            networks.insert(number.to_string(), Network::default());
        }
        assert!(networks.0.len() <= NETWORKS_MAXIMUM);
    }
}
