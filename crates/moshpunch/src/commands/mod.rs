//! One file a command.

pub(crate) mod keeper;
pub(crate) mod map;
pub(crate) mod router;
pub(crate) mod server;
pub(crate) mod sweep;
