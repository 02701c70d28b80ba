//! Linux's own: netlink, timerfd, pidfd, prctl, procfs, sysfs, inotify, the kernel's packet filter.

#[cfg(not(feature = "portable"))]
pub(crate) mod alarm;
mod borrowed;
pub mod bound;
mod file_changes;
pub(crate) mod interface;
#[cfg(not(feature = "portable"))]
pub(crate) mod marked_receiver;
mod netlink;
#[cfg(not(feature = "portable"))]
pub(crate) mod network;
pub mod peer;
#[cfg(not(feature = "portable"))]
pub(crate) mod process;
mod reservation;
pub(crate) mod routes;
mod sibling;
pub(crate) mod source_filter;
#[cfg(not(feature = "portable"))]
pub(crate) mod time;
pub mod utmp;

pub use borrowed::BorrowedSocket;
pub use file_changes::{FileChanges, Heard};
pub use reservation::Reservation;
pub use sibling::Sibling;

/// As rustix writes it.
const NETLINK_ROUTE: Option<rustix::net::Protocol> = None;
