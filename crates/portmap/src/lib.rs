//! Port mapping without I/O: bytes and time come in as arguments, what to do comes out as values.
//!
//! [`mapper`] is the life of one mapping. Below it stands one client per protocol ([`pcp`], [`nat_pmp`], [`upnp`]),
//! which knows how to ask;
//! the mapper knows what to ask for, when, and what to do after a refusal. [`effects`] are what a shell has to
//! perform: datagrams, TCP exchanges. [`cause`] tells a user why there is no mapping and what to do about it.
//!
//! *Outside this crate*: sockets, clocks, threads, finding out this host's gateway and addresses, and the choice of
//! the port that a session listens on.

pub mod address;
pub mod cause;
pub mod client;
pub mod control_port;
pub mod effects;
mod epoch;
pub mod mapper;
pub mod mapping;
pub mod nat_pmp;
pub mod pcp;
mod random;
mod retransmission;
pub mod upnp;
