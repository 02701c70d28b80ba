//! Sockets, clocks and interfaces: what the pure crates ask for is done here.
//!
//! Nothing in this crate decides anything about a protocol. [`MapperSockets`] performs the effects of a
//! [`Mapper`](portmap::mapper::Mapper) and hands it what came in; [`wait`] is the one place that blocks;
//! [`interfaces`] tells how this host is attached, [`own_addresses`] what its addresses are worth, [`changes`] when
//! that changes. [`PathSockets`] are those of a path [`Agent`](path::Agent), each a [`MarkedSocket`].
//!
//! What is [`system`]'s own and needs nothing more goes through: [`clock`] is the only reader of the time, an [`Alarm`] a
//! deadline that sleep does not put off, [`random`] and [`directories`] are asked on hosts, too, `bound` tells what a host's sockets are bound to.

pub mod changes;
mod datagram;
mod drive;
pub mod interfaces;
mod link;
mod mapper_sockets;
pub mod own_addresses;
mod path_sockets;
mod stream;

pub use drive::{Driven, drive};
pub use mapper_sockets::MapperSockets;
pub use path_sockets::{NotSent, PathSockets};
pub use system::datagram::{MarkedSocket, Received};
#[cfg(target_os = "linux")]
pub use system::linux::{FileChanges, Heard, Reservation, bound};
pub use system::{Alarm, clock, directories, random, wait};
