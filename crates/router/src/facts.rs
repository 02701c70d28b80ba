//! Reads what `router check` judges. What cannot be read is left out.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use miniupnpd::check::{Daemon, Facts, LeasePlace};
use miniupnpd::configuration::Configuration;
use rustix::fs::statfs;

use super::system::{DEFAULTS, interfaces, nft_ruleset, read_if_any, routes_out, uses_iptables};

/// statfs(2).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

pub(super) fn read(path: &Path) -> Facts {
    let configuration = fs::read(path).ok();
    let lease_file =
        configuration.as_deref().and_then(|bytes| Configuration::parse(bytes).option("lease_file"));
    Facts {
        configuration_path: path.display().to_string(),
        defaults: read_if_any(Path::new(DEFAULTS)).ok().map(Option::unwrap_or_default),
        daemon: daemon(),
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
        guard_runs: processes().map(|processes| processes.iter().any(Process::is_guard)),
        configuration,
    }
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

struct Process {
    directory: PathBuf,
    pid: u32,
    arguments: Vec<String>,
}

impl Process {
    fn is(&self, program: &str) -> bool {
        let name = self.arguments.first().and_then(|path| Path::new(path).file_name());
        name.is_some_and(|name| name == program)
    }

    fn is_guard(&self) -> bool {
        self.arguments.get(1).map(String::as_str) == Some("router")
            && self.arguments.get(2).map(String::as_str) == Some("guard")
    }

    /// In seconds since 1970.
    fn started(&self) -> Option<u64> {
        let status = fs::read_to_string(self.directory.join("stat")).ok()?;
        // Behind the name, which may have spaces, the start is the 20th field (proc(5): the 22nd of all).
        let ticks: u64 = status.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let boot: u64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
        Some(boot + ticks / rustix::param::clock_ticks_per_second())
    }
}

/// `None`: they are hidden.
fn processes() -> Option<Vec<Process>> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| process(&entry.ok()?.path()));
    Some(processes.collect::<Vec<_>>()).filter(|processes| processes.iter().any(|process| process.pid == 1))
}

fn process(directory: &Path) -> Option<Process> {
    let pid = directory.file_name()?.to_str()?.parse().ok()?;
    let arguments = String::from_utf8_lossy(&fs::read(directory.join("cmdline")).ok()?).into_owned();
    let arguments = arguments.split_terminator('\0').map(str::to_owned).collect();
    Some(Process { directory: directory.to_owned(), pid, arguments })
}

fn daemon() -> Daemon {
    let Some(processes) = processes() else { return Daemon::Unknown };
    match processes.iter().find(|process| process.is("miniupnpd")) {
        Some(process) => Daemon::Runs {
            pid: process.pid,
            arguments: process.arguments.clone(),
            started: process.started(),
        },
        None => Daemon::Stopped,
    }
}
