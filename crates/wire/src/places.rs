//! Where programs are that a login by ssh does not find in its PATH.

use std::path::{Path, PathBuf};

const OF_THE_USER: [&str; 2] = [".local/bin", ".cargo/bin"];
const OF_ALL: [&str; 3] = ["/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin"];

/// Directories, in the order in which they are looked into; `home` is the user's.
pub fn places(home: &Path) -> impl Iterator<Item = PathBuf> {
    OF_THE_USER.iter().map(|place| home.join(place)).chain(OF_ALL.iter().map(PathBuf::from))
}
