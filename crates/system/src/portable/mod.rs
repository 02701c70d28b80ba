//! What POSIX has everywhere, and a look once a second where it has nothing.

pub(crate) mod alarm;
pub(crate) mod marked_receiver;
pub(crate) mod network;
pub(crate) mod process;
#[cfg(not(target_os = "linux"))]
pub(crate) mod source_filter;
pub(crate) mod time;
