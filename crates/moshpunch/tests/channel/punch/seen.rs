//! What leaves a host by UDP from mosh-server's port, and who has that port.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab::{Host, HostProcess, wait_until};

use crate::common::PATIENCE;
use crate::common::home::nft;

const TABLE: &str = "
table inet seen
delete table inet seen
table inet seen {
    set v4 { type ipv4_addr . inet_service; flags dynamic; }
    set v6 { type ipv6_addr . inet_service; flags dynamic; }
    chain output {
        type filter hook output priority -10;
        udp sport 60001 update @v4 { ip daddr . udp dport counter }
        udp sport 60001 update @v6 { ip6 daddr . udp dport counter }
    }
}
";

/// From now on.
pub(super) fn count(host: &Host) -> Result<()> {
    nft(host, TABLE)
}

/// How many datagrams went to each.
pub(super) fn counted(host: &Host) -> Result<BTreeMap<String, u64>> {
    let listed = host.command("nft").args(["list", "table", "inet", "seen"]).run(PATIENCE)?.stdout;
    let entries = listed.split_once("elements = {").map(|_| listed.split(['{', ',', '}', '\n']));
    let entry = |text: &str| {
        let (to, rest) = text.trim().split_once(" counter packets ")?;
        let (address, port) = to.split_once(" . ")?;
        let packets = rest.split(' ').next()?.parse().ok()?;
        Some((format!("{address}:{port}"), packets))
    };
    Ok(entries.into_iter().flatten().filter_map(entry).collect())
}

/// The socket on mosh-server's port, as processes have it open; `None` once nobody has.
pub(super) fn socket(host: &Host) -> Result<Option<String>> {
    Ok(entry(host)?.map(|words| format!("socket:[{}]", words[INODE])))
}

/// In bytes, what waits there to be read; and how many datagrams found no room.
fn queue(host: &Host) -> Result<(u64, u64)> {
    let words = entry(host)?.context("nobody has mosh-server's port")?;
    let (_, unread) = words[QUEUES].split_once(':').context("two queues")?;
    Ok((u64::from_str_radix(unread, 16)?, words[DROPS].parse()?))
}

/// Columns of the kernel's tables of UDP sockets.
const LOCAL: usize = 1;
const QUEUES: usize = 4;
const INODE: usize = 9;
const DROPS: usize = 12;

fn entry(host: &Host) -> Result<Option<Vec<String>>> {
    for table in ["udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{}/net/{table}", host.holder_pid()))?;
        let entries = text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let mut with_port = entries.filter(|words| words.len() > DROPS && words[LOCAL].ends_with(":EA61"));
        if let Some(words) = with_port.next() {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

/// Whether that process has it open.
pub(super) fn has(process: &HostProcess, socket: &str) -> Result<bool> {
    let open = fs::read_dir(format!("/proc/{}/fd", process.pid))?.flatten();
    let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(targets.any(|target| target == Path::new(socket)))
}

/// Of what has come to mosh-server's port nothing was dropped for want of room, and nothing waits.
pub(super) fn nothing_is_lost_or_unread(host: &Host) -> Result<()> {
    wait_until("mosh-server to have read everything", PATIENCE, || {
        let (unread, dropped) = queue(host)?;
        ensure!(dropped == 0, "{dropped} datagrams were dropped");
        Ok((unread == 0).then_some(()))
    })
}
