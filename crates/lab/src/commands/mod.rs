//! One file a command.

pub(crate) mod clean;
pub(crate) mod list;
