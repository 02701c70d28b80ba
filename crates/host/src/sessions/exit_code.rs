//! How `moshpunch sessions` ended, for scripts (docs/sessions.md).

use std::process;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ExitCode {
    Success = 0,
    /// Wrong usage, or what has no code of its own.
    Failure = 1,
    NotFound = 2,
    /// Nothing was ended, for nobody has said that it should be.
    NotConfirmed = 3,
    NotEnded = 4,
}

/// For --help.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  wrong usage, or any other failure
  2  there is no such session of yours
  3  not confirmed: nothing was ended
  4  a session has not ended
With HOST, those of the host; 127 where it has no moshpunch, 255 where ssh fails.";

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained() {
        use ExitCode::{Failure, NotConfirmed, NotEnded, NotFound, Success};
        for code in [Success, Failure, NotFound, NotConfirmed, NotEnded] {
            assert!(EXIT_CODES.contains(&format!("\n  {}  ", code as u8)), "{code:?}");
        }
    }
}
