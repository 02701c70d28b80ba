//! What runs on this machine, as far as proc(5) shows it.

use std::fs;
use std::path::{Path, PathBuf};

use miniupnpd::check::Process;

pub(super) struct Running {
    directory: PathBuf,
    pid: u32,
    arguments: Vec<String>,
}

pub(super) fn all() -> Vec<Running> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Running::look(&entry.path())).collect()
}

/// Whether a `moshpunch router guard` runs in this network namespace. `None`: it cannot be seen.
pub(super) fn guard_runs() -> Option<bool> {
    let running = all();
    if !running.iter().any(|process| process.pid == 1) {
        return None;
    }
    let here = namespace(Path::new("/proc/self"))?;
    let guards: Vec<_> = running.iter().filter(|process| process.is_guard()).collect();
    let places: Vec<_> = guards.iter().map(|guard| namespace(&guard.directory)).collect();
    match places.contains(&Some(here)) {
        true => Some(true),
        false if places.contains(&None) => None,
        false => Some(false),
    }
}

fn namespace(directory: &Path) -> Option<PathBuf> {
    fs::read_link(directory.join("ns/net")).ok()
}

impl Running {
    fn look(directory: &Path) -> Option<Self> {
        let pid = directory.file_name()?.to_str()?.parse().ok()?;
        let arguments = String::from_utf8_lossy(&fs::read(directory.join("cmdline")).ok()?).into_owned();
        let arguments = arguments.split_terminator('\0').map(str::to_owned).collect();
        Some(Self { directory: directory.to_owned(), pid, arguments })
    }

    pub(super) fn described(&self) -> Process {
        let program = fs::read_link(self.directory.join("exe")).ok();
        Process {
            pid: self.pid,
            program: program.map(|path| path.display().to_string()),
            arguments: self.arguments.clone(),
            started: self.started(),
        }
    }

    /// Such as `socket:[4711]`. What another user's process has, only root sees.
    pub(super) fn has_open(&self, name: &Path) -> bool {
        let open = fs::read_dir(self.directory.join("fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target == name)
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
