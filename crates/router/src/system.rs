//! What is read of the running system by more than one command.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use miniupnpd::interfaces::{Interface, default_routes};
use net::interfaces::{Attachment, name_of};
use rustix::fs::OFlags;

use super::installed;

pub(super) const DEFAULTS: &str = "/etc/default/miniupnpd";

/// `None`: there is no such file. A pipe in its place is not waited for.
pub(super) fn read_if_any(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// Those with an IPv4 address.
pub(super) fn interfaces() -> Result<Vec<Interface>> {
    let attachment = Attachment::read().context("reading this host's addresses")?;
    let mut found: Vec<Interface> = Vec::new();
    for own in &attachment.addresses {
        let (IpAddr::V4(address), Some(name)) = (own.address, name_of(own.interface)) else { continue };
        match found.iter_mut().find(|interface| interface.name == name) {
            Some(interface) => interface.addresses.push((address, own.prefix_length)),
            None => found.push(Interface { name, addresses: vec![(address, own.prefix_length)] }),
        }
    }
    Ok(found)
}

pub(super) fn routes_out() -> Vec<String> {
    default_routes(&fs::read_to_string("/proc/net/route").unwrap_or_default())
}

/// `nft -j list ruleset`.
pub(super) fn nft_ruleset() -> Option<String> {
    printed("nft", &["-j", "list", "ruleset"])
}

/// `miniupnpd --version`. One from before 2.2.0 does not know that, and would start; with an empty file it cannot.
pub(super) fn miniupnpd_version() -> Option<String> {
    printed("miniupnpd", &["-f", "/dev/null", "--version"])
}

/// What a program that succeeds prints.
fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let command = Command::new(installed::path(program).ok()?)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let output = command.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// The package's own files tell which it is.
pub(super) fn uses_iptables() -> bool {
    let has = |name: &str| Path::new("/etc/miniupnpd").join(name).exists();
    has("iptables_init.sh") && !has("nft_init.sh")
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn a_pipe_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("upnp.leases");
        assert_eq!(read_if_any(&path).unwrap(), None);
        mkfifoat(CWD, &path, Mode::RUSR).unwrap();
        assert_eq!(read_if_any(&path).unwrap(), Some(vec![]));
    }
}
