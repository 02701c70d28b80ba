//! On what it was measured.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::system::{sysinfo, uname};
use serde::Serialize;

/// Debian's packages of which a program is measured.
const PACKAGES: [&str; 7] =
    ["miniupnpc", "miniupnpd-nftables", "mosh", "natpmpc", "openssh-client", "openssh-server", "socat"];

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    /// By the package; those that are installed.
    versions: BTreeMap<String, String>,
}

impl Machine {
    pub(crate) fn this() -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            processor: model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: (sysinfo().totalram * u64::from(sysinfo().mem_unit)).div_ceil(1 << 30),
            kernel: uname().release().to_string_lossy().into_owned(),
            versions: versions(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gib, kernel, .. } = self;
        write!(f, "{processor}, {cores} cores, {memory_gib} GiB, Linux {kernel}")
    }
}

/// As dpkg knows them; nothing on another system.
fn versions() -> BTreeMap<String, String> {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${Version}\n"])
        .args(PACKAGES)
        .output();
    let text = query.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter(|(_, version)| !version.is_empty())
        .map(|(package, version)| (package.to_owned(), version.to_owned()))
        .collect()
}
