//! What a machine must offer for a lab to run on it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use rustix::process::geteuid;

use crate::command::PATH;
use crate::configure::{ip, nft};
use crate::impairment::{self, Direction, Impairment};
use crate::namespace::in_new_namespaces;
use crate::nat::{Filtering, Mapping, Nat};
use crate::relay::Relay;

/// Programs of the lab itself.
const PROGRAMS: [&str; 8] = ["bash", "cat", "env", "ip", "mount", "nft", "setsid", "ssh-keygen"];

/// The programs that a scenario needs beside the lab's own.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    pub programs: Vec<String>,
}

impl Requirements {
    /// Tries what a lab does, once in a process and without leaving a trace.
    ///
    /// # Errors
    /// The reason why no lab can run here, in one line.
    pub fn check(&self) -> Result<(), String> {
        static MACHINE: OnceLock<Result<(), String>> = OnceLock::new();
        MACHINE.get_or_init(|| check_machine().map_err(one_line)).clone()?;
        find_programs(self.programs.iter().map(String::as_str))
    }
}

fn check_machine() -> Result<()> {
    ensure!(geteuid().is_root(), "not root");
    ensure!(!is_chroot(), "in a chroot, which entering a host would leave");
    find_programs(PROGRAMS.into_iter()).map_err(anyhow::Error::msg)?;
    in_new_namespaces(|| {
        crate::filesystem::check_overlay().context("no overlay file system")?;
        ip("link add bridge0 type bridge\nlink add veth0 type veth peer name veth1\n")
            .context("no bridge or no veth")?;
        let every_rule =
            Nat::home("wan0").mapping(Mapping::AddressDependent).filtering(Filtering::AddressDependent);
        nft(&every_rule.rules()).context("no nftables NAT")?;
        let loss = ("port0", Direction::FromHost, Impairment::NONE.loss(1));
        nft(&impairment::rules([loss].into_iter())).context("no nftables for bridges")
    })
}

/// Where the root is no mount, or is another than process 1's, as far as that may be seen.
fn is_chroot() -> bool {
    let root_of = |process: &str| fs::metadata(format!("/proc/{process}/root/.")).ok();
    let another = match (root_of("1"), root_of("self")) {
        (Some(first), Some(own)) => (first.dev(), first.ino()) != (own.dev(), own.ino()),
        _ => false,
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    another || !mounts.lines().any(|mount| mount.split(' ').nth(4) == Some("/"))
}

/// Why links cannot have delays here, once a lab is known to run.
pub(crate) fn check_delays() -> Result<(), String> {
    static DELAYS: OnceLock<Result<(), String>> = OnceLock::new();
    let try_one = || in_new_namespaces(|| Relay::between(["tap0", "tap1"]).map(drop));
    DELAYS.get_or_init(|| try_one().context("no TAP interfaces").map_err(one_line)).clone()
}

fn one_line(error: anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

fn find_programs<'a>(programs: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let present = |program: &&str| PATH.split(':').any(|place| Path::new(place).join(program).exists());
    let missing: Vec<&str> = programs.filter(|program| !present(program)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("not installed: {}", missing.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_themselves_run_in_no_chroot() {
        assert!(!is_chroot());
    }

    #[test]
    fn missing_programs_are_all_named() {
        let reason = find_programs(["cat", "no-such-program", "nor-this"].into_iter());
        assert_eq!(reason, Err("not installed: no-such-program, nor-this".to_owned()));
    }
}
