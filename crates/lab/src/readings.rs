//! What a test may read off a host.

use std::fs;

use anyhow::{Context as _, Result};

use crate::host::Host;

/// A process of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProcess {
    /// As seen from outside the host.
    pub pid: u32,
    /// As seen inside.
    pub pid_inside: u32,
    pub arguments: Vec<String>,
}

impl Host {
    /// The local ports of all UDP sockets, IPv4 and IPv6, sorted.
    ///
    /// # Errors
    /// When the host has ended.
    pub fn udp_ports(&self) -> Result<Vec<u16>> {
        let mut ports = Vec::new();
        for file in ["udp", "udp6"] {
            let path = format!("/proc/{}/net/{file}", self.holder_pid());
            let table = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
            ports.extend(table.lines().skip(1).filter_map(local_port));
        }
        ports.sort_unstable();
        Ok(ports)
    }

    /// The processes, zombies included, whose program has that name.
    ///
    /// # Errors
    /// When the host has ended.
    pub fn processes(&self, name: &str) -> Result<Vec<HostProcess>> {
        let namespace = fs::read_link(format!("/proc/{}/ns/pid", self.holder_pid()))?;
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            if fs::read_link(path.join("ns/pid")).is_ok_and(|other| other == namespace) {
                let status = fs::read_to_string(path.join("status")).unwrap_or_default();
                let arguments = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
                found.extend(named_process(name, &status, &arguments));
            }
        }
        Ok(found)
    }
}

/// From a line such as `  42: 00000000:EA61 00000000:0000 07 …`.
fn local_port(line: &str) -> Option<u16> {
    let (_address, port) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
    u16::from_str_radix(port, 16).ok()
}

fn named_process(name: &str, status: &str, arguments: &str) -> Option<HostProcess> {
    let field = |wanted: &str| {
        status.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':')).map(str::trim)
    };
    // The kernel keeps 15 bytes of a program's name.
    let kept_name = name.get(..15).unwrap_or(name);
    if field("Name") != Some(kept_name) {
        return None;
    }
    let mut pids = field("NSpid")?.split_whitespace().map(str::parse);
    Some(HostProcess {
        pid: pids.next()?.ok()?,
        pid_inside: pids.next_back()?.ok()?,
        arguments: arguments.split_terminator('\0').map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_from_the_kernels_table() {
        let line = "  905: 00000000000000000000000000000000:EA61 00000000000000000000000000000000:0000 07";
        assert_eq!(local_port(line), Some(60001));
    }

    #[test]
    fn a_process_is_known_by_its_name_and_has_two_pids() {
        let status = "Name:\tmosh-server\nState:\tS (sleeping)\nNSpid:\t4711\t23\n";
        let process = named_process("mosh-server", status, "mosh-server\0new\0").unwrap();
        assert_eq!((process.pid, process.pid_inside), (4711, 23));
        assert_eq!(process.arguments, ["mosh-server", "new"]);
        assert_eq!(named_process("mosh", status, ""), None);
    }
}
