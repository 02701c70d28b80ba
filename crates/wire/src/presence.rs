//! How a login asks a host's moshpunch whether it is there: by `--version` with this variable set, which other programs take for a
//! question that they know.

pub const VARIABLE: &str = "MOSHPUNCH_PRESENT";

/// Its exit status then. What another program ends with is another number: its own few, those of sysexits(3), which end at 78, or
/// those of shells and timeout(1), from 124 on.
pub const STATUS: u8 = 79;
