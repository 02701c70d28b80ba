//! The programs that the client starts, and those parts of itself that it starts for them.

pub mod asked;
pub mod attend;
pub(crate) mod attendance;
pub(crate) mod child;
pub(crate) mod handover;
pub mod part;
pub(crate) mod session;
pub(crate) mod tied;
pub mod whole;
