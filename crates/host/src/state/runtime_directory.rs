//! Where this user's sessions leave their state: a directory that is nobody else's.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// `$XDG_RUNTIME_DIR/moshpunch`, else below `/run/user/UID` or, where there is none, `/tmp/moshpunch-UID`.
pub(crate) fn open() -> Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let told = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let base = told.into_iter().chain([usual]).find(|path| is_own(path, user));
    let path = base.map_or_else(|| format!("/tmp/moshpunch-{user}").into(), |base| base.join("moshpunch"));
    ensure_private(&path, user)?;
    Ok(path)
}

fn is_own(path: &Path, user: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_dir() && it.uid() == user)
}

/// In /tmp anybody may have been first: with a link, or with a directory that they can read.
fn ensure_private(path: &Path, user: u32) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| path.display().to_string());
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
    ensure!(
        found.is_dir() && found.uid() == user && found.permissions().mode().trailing_zeros() >= 6,
        "{} is not a directory that only you can enter",
        path.display()
    );
    Ok(())
}
