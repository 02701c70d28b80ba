//! Where mosh-server is bound, as the kernel knows it.

use std::fs;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use net::bound;

use super::process::ProcessIdentity;

/// Of the socket on `port` that `process` has. Where that cannot be looked at, of any that this user has.
pub(crate) fn address(process: Option<ProcessIdentity>, port: NonZeroU16) -> Option<IpAddr> {
    let sockets = bound::sockets(port, rustix::process::getuid().as_raw());
    let open = process.map(open).unwrap_or_default();
    let is_its = |inode: u64| open.contains(&PathBuf::from(format!("socket:[{inode}]")));
    let its = sockets.iter().find(|socket| is_its(socket.inode));
    its.or(sockets.first()).map(|socket| socket.address)
}

fn open(process: ProcessIdentity) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}
