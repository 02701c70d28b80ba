//! Removes what a lab leaves behind when its owner was killed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::directory::{FoundLab, find_labs};
use crate::namespace::HOLDER_VARIABLE;
use crate::process::wait_for_exit;

const TIME_TO_DIE: Duration = Duration::from_secs(30);

/// What `clean` did about one lab whose owner has gone.
#[derive(Debug)]
pub struct Cleaned {
    pub lab: FoundLab,
    /// Holders that outlived their owner. Normally none: a holder ends by itself.
    pub killed: Vec<u32>,
}

/// Removes every lab whose owner has gone; labs in use are left alone.
///
/// # Errors
/// When a directory cannot be read or removed, naming it.
pub fn clean() -> Result<Vec<Cleaned>> {
    let abandoned = find_labs()?.into_iter().filter(|lab| !lab.alive);
    abandoned
        .map(|lab| {
            let killed = kill_holders(&lab.path)?;
            fs::remove_dir_all(&lab.path).with_context(|| format!("removing {}", lab.path.display()))?;
            Ok(Cleaned { lab, killed })
        })
        .collect()
}

/// The processes of this machine that hold a namespace of the lab in `directory`.
///
/// # Errors
/// When /proc cannot be read.
pub fn holders(directory: &Path) -> Result<Vec<u32>> {
    let wanted = format!("{HOLDER_VARIABLE}={}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn kill_holders(directory: &Path) -> Result<Vec<u32>> {
    let mut killed = Vec::new();
    for number in holders(directory)? {
        let Some(pid) = i32::try_from(number).ok().and_then(Pid::from_raw) else { continue };
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // The pid may have been reused before the pidfd fixed it: only now is the answer certain.
        if holders(directory)?.contains(&number) && pidfd_send_signal(&process, Signal::KILL).is_ok() {
            wait_for_exit(&process, TIME_TO_DIE)?;
            killed.push(number);
        }
    }
    Ok(killed)
}
