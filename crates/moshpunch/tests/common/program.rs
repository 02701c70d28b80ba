//! Which moshpunch the scenarios run.

use std::env;
use std::path::PathBuf;

/// That of this build, or the one that `MOSHPUNCH` names by its absolute path: a file that is called moshpunch, such as a static one.
pub(crate) fn path() -> PathBuf {
    env::var_os("MOSHPUNCH").map_or_else(|| env!("CARGO_BIN_EXE_moshpunch").into(), PathBuf::from)
}
