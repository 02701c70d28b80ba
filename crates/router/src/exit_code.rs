//! How `moshpunch router check` ended, for scripts (docs/router.md).

use std::process;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CheckExitCode {
    /// Perhaps with warnings.
    Sound = 0,
    Faulty = 1,
    /// No fault was found, but something could not be checked.
    Unchecked = 2,
}

/// For --help.
pub const CHECK_EXIT_CODES: &str = "\
Exit codes:
  0  all is right, perhaps with warnings
  1  a fault was found (or wrong usage)
  2  no fault was found, but not everything could be checked";

impl From<CheckExitCode> for process::ExitCode {
    fn from(code: CheckExitCode) -> Self {
        Self::from(code as u8)
    }
}
