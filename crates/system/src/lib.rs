//! What each operating system does in its own way, behind one interface: time that goes on in sleep, this host's
//! addresses and when they change, the mark of a datagram, processes, how they end and what is written to them, numbers by
//! chance, a user's files.
//!
//! `linux` asks the kernel; `portable` does with what POSIX has, and looks once a second where that has nothing. A host and
//! a router are Linux for now: what only they need is in [`linux`] alone.

#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(any(not(target_os = "linux"), feature = "portable"))]
mod portable;

mod alarm;
pub mod clock;
pub mod datagram;
pub mod directories;
mod marked_socket;
pub mod network;
mod one_way;
pub mod process;
pub mod random;
pub mod signal;
pub mod source;
pub mod wait;

#[cfg(all(target_os = "linux", not(feature = "portable")))]
use linux as own;
#[cfg(any(not(target_os = "linux"), feature = "portable"))]
use portable as own;

pub use alarm::Alarm;
pub use one_way::OneWay;
