//! Where a lab keeps its files, and how a later `clean` knows whose owner has gone.
//!
//! The owner of a lab holds a lock on `<lab>/owner.lock` for as long as it lives. The kernel drops the lock when
//! the owner dies by any means, so a directory whose lock can be taken is nobody's.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

/// All labs of this machine. Not under /tmp, which every host of a lab replaces by its own.
const ALL_LABS: &str = "/var/tmp/moshpunch-lab";
const OWNER_LOCK: &str = "owner.lock";

/// A lab's own directory; removed on drop.
#[derive(Debug)]
pub(crate) struct LabDirectory {
    path: PathBuf,
    _owner_lock: File,
}

impl LabDirectory {
    pub(crate) fn create(lab: &str) -> Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let _creating = registry_lock()?;
        let unique = format!("{lab}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(ALL_LABS).join(unique);
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        for part in ["bin", "hosts", "logs", "shared"] {
            fs::create_dir(path.join(part))?;
        }
        let mut owner_lock = File::create(path.join(OWNER_LOCK))?;
        owner_lock.lock()?;
        write!(owner_lock, "{}", std::process::id())?;
        Ok(Self { path, _owner_lock: owner_lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LabDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("lab: {} stays behind: {error}", self.path.display());
        }
    }
}

/// A lab's directory as found on disk.
#[derive(Debug)]
pub struct FoundLab {
    pub path: PathBuf,
    /// The process that made it.
    pub owner: Option<u32>,
    /// Whether that process still lives.
    pub alive: bool,
}

/// Every lab directory on this machine, in the order of their names.
///
/// # Errors
/// When the directory of all labs cannot be read.
pub fn find_labs() -> Result<Vec<FoundLab>> {
    let _no_lab_half_made = registry_lock()?;
    let mut labs = Vec::new();
    for entry in fs::read_dir(ALL_LABS)? {
        let path = entry?.path();
        if path.is_dir() {
            labs.push(inspect(path)?);
        }
    }
    labs.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(labs)
}

fn inspect(path: PathBuf) -> Result<FoundLab> {
    let Ok(lock) = File::open(path.join(OWNER_LOCK)) else {
        return Ok(FoundLab { path, owner: None, alive: false });
    };
    let alive = match lock.try_lock() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => return Err(error.into()),
    };
    let owner = fs::read_to_string(path.join(OWNER_LOCK))?.parse().ok();
    Ok(FoundLab { path, owner, alive })
}

fn registry_lock() -> Result<File> {
    fs::create_dir_all(ALL_LABS).with_context(|| format!("creating {ALL_LABS}"))?;
    let path = Path::new(ALL_LABS).join("registry.lock");
    let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
    lock.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok(lock)
}
