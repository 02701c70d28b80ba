//! Reads what `router check` judges. What cannot be read is left out.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use miniupnpd::check::{Facts, LeasePlace};
use miniupnpd::configuration::Configuration;
use miniupnpd::firewall::{PCP_PORT, SSDP_PORT};
use miniupnpd::mapping::Transport;
use rustix::fs::statfs;

use super::listeners;
use super::processes::guard_runs;
use super::system::{
    DEFAULTS, interfaces, miniupnpd_version, nft_ruleset, read_if_any, routes_out, uses_iptables,
};

/// statfs(2).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

pub(super) fn read(path: &Path) -> Facts {
    let configuration = fs::read(path).ok();
    let read = configuration.as_deref().map(Configuration::parse);
    let lease_file = read.as_ref().and_then(|read| read.option("lease_file"));
    Facts {
        configuration_path: path.display().to_string(),
        defaults: read_if_any(Path::new(DEFAULTS)).ok().map(Option::unwrap_or_default),
        version: miniupnpd_version(),
        listeners: listeners::of(&places(read.as_ref())),
        configuration_changed: fs::metadata(path).ok().and_then(|file| u64::try_from(file.mtime()).ok()),
        interfaces: interfaces().unwrap_or_default(),
        default_routes: routes_out(),
        ip_forward: fs::read_to_string("/proc/sys/net/ipv4/ip_forward").ok().map(|text| text.trim() != "0"),
        lease_place: lease_file.as_deref().and_then(lease_place),
        leases: lease_file.map_or(Some(Vec::new()), |file| {
            read_if_any(Path::new(&file)).ok().map(Option::unwrap_or_default)
        }),
        // nft does not show what iptables-legacy has.
        ruleset: if uses_iptables() { None } else { nft_ruleset() },
        udp_ports: udp_ports(),
        guard_runs: guard_runs(),
        configuration,
    }
}

/// Where miniupnpd listens.
fn places(configuration: Option<&Configuration>) -> Vec<(Transport, u16)> {
    let http = configuration.and_then(Configuration::http_port).map(|port| (Transport::Tcp, port));
    [SSDP_PORT, PCP_PORT].map(|port| (Transport::Udp, port)).into_iter().chain(http).collect()
}

fn lease_place(file: &str) -> Option<LeasePlace> {
    let directory = Path::new(file).parent()?;
    if !directory.exists() {
        return Some(LeasePlace::Missing);
    }
    let kind = u64::try_from(statfs(directory).ok()?.f_type).ok()?;
    Some(if IN_MEMORY.contains(&kind) { LeasePlace::Volatile } else { LeasePlace::Lasting })
}

fn udp_ports() -> Option<Vec<u16>> {
    let tables =
        [fs::read_to_string("/proc/net/udp").ok()?, fs::read_to_string("/proc/net/udp6").unwrap_or_default()];
    Some(tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(local_port).collect())
}

/// From a line such as `  42: 00000000:EA61 00000000:0000 07 …`.
fn local_port(line: &str) -> Option<u16> {
    let (_address, port) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
    u16::from_str_radix(port, 16).ok()
}
