//! One file a command.

pub(crate) mod asked;
pub(crate) mod attend;
pub(crate) mod connect;
pub(crate) mod keeper;
pub(crate) mod look_up;
pub(crate) mod map;
pub(crate) mod router;
pub(crate) mod server;
pub(crate) mod sweep;
pub(crate) mod tied;
