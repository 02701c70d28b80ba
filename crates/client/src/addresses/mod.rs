//! Where the host may be reached: what is told or looked up, and which of it may be sent to.

pub(crate) mod destination;
pub(crate) mod intake;
pub(crate) mod look_up;
pub(crate) mod look_up_program;
mod name_services;
pub(crate) mod reachable;
pub(crate) mod whereabouts;
