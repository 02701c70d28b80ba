//! What a machine must offer for a lab to run on it.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use rustix::process::geteuid;

use crate::command::PATH;
use crate::configure::{ip, nft};
use crate::namespace::in_new_namespaces;
use crate::nat::{Filtering, Nat};

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
        MACHINE
            .get_or_init(|| check_machine().map_err(|error| format!("{error:#}").replace('\n', " ")))
            .clone()?;
        find_programs(self.programs.iter().map(String::as_str))
    }
}

fn check_machine() -> Result<()> {
    ensure!(geteuid().is_root(), "not root");
    find_programs(PROGRAMS.into_iter()).map_err(anyhow::Error::msg)?;
    in_new_namespaces(|| {
        crate::filesystem::check_overlay().context("no overlay file system")?;
        ip("link add bridge0 type bridge\nlink add veth0 type veth peer name veth1\n")
            .context("no bridge or no veth")?;
        let every_rule = Nat::home("wan0").filtering(Filtering::AddressDependent);
        nft(&every_rule.rules([20, 0, 0, 1].into())).context("no nftables NAT")
    })
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
    fn missing_programs_are_all_named() {
        let reason = find_programs(["cat", "no-such-program", "nor-this"].into_iter());
        assert_eq!(reason, Err("not installed: no-such-program, nor-this".to_owned()));
    }
}
