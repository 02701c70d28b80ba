//! What the programs of a lab do at a signal is theirs, whatever is ignored by whoever started the lab: `nohup`, a script's `&`.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT};
use signal_hook::flag;

const OFTEN_IGNORED: [i32; 3] = [SIGHUP, SIGINT, SIGQUIT];

/// A signal that is ignored stays so in each program that is started; one that is handled does by default there. The handler
/// does nothing, so for the lab itself nothing changes.
pub(crate) fn leave_to_programs() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut outcome = Ok(());
    ONCE.call_once(|| outcome = handle_ignored());
    outcome
}

fn handle_ignored() -> Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let ignored = ignored(&status).context("the kernel tells which signals are ignored")?;
    for signal in OFTEN_IGNORED.into_iter().filter(|signal| ignored & (1 << (signal - 1)) != 0) {
        flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// proc_pid_status(5): a bit for each signal, the lowest for signal 1.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_mask_is_read() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000000007\nSigCgt:\t0\n"), Some(7));
        assert_eq!(ignored("Name:\tx\n"), None);
    }
}
