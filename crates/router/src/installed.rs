//! Where root's programs are. What they say decides what is told of this router, and where clients inside are led, so no
//! PATH is asked, which an administrator may have set for something else; and a login by ssh does not always have theirs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What was installed by hand comes before the package's.
const DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// # Errors
///
/// It is in none of these directories.
pub(super) fn path(program: &str) -> Result<PathBuf> {
    let found =
        DIRECTORIES.iter().map(|directory| Path::new(directory).join(program)).find(|path| path.exists());
    found.with_context(|| format!("{program} is not installed (in none of {})", DIRECTORIES.join(", ")))
}
