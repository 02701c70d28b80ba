//! A gateway that speaks UPnP IGD, NAT-PMP and PCP over real sockets, counts what it hears, and misbehaves as told.
//!
//! [`FakeGateway::builder`] says what it is like; binding makes every socket at once, in the network namespace of the
//! calling thread, and leaves the serving to a thread of the gateway's own. On an address of 127.0.0.0/8 that is a
//! test's own ([`Builder::bind_loopback`]) the protocols' fixed ports are free, no root is needed, and many gateways
//! run side by side. Dropping a gateway ends its thread and closes its sockets.
//!
//! A test asks for [`Counters`], the table of [`Mapping`]s, and the [`complaints`](FakeGateway::complaints): what a
//! strict router would not have accepted is answered with an error *and* noted. A [`Fault`] says which messages are
//! answered how instead. A [`Decoy`] proves that a host was never asked. [`drive()`] runs a real mapper. A [`Simulation`]
//! is the same gateway without sockets, in a time of its own.
//!
//! One table serves the three protocols, as in miniupnpd: over UPnP the same client overwrites its entry and another
//! gets error 718; over NAT-PMP and PCP the same client and internal port keep their external port (RFC 6887 §11.3),
//! and another gets the next free one.
//!
//! *Outside this crate*: IPv6, GENA events, and forwarding anything.

mod builder;
mod control_port;
mod counters;
mod decoy;
mod drive;
mod effect;
mod fault;
mod gateway;
mod loopback;
mod server;
mod simulation;
mod state;
mod table;
mod upnp;

pub use builder::{Builder, Protocol, Quirk};
pub use counters::Counters;
pub use decoy::Decoy;
pub use drive::drive;
pub use effect::Effect;
pub use fault::{Fault, MessageKind};
pub use gateway::{FakeGateway, Restart};
pub use simulation::Simulation;
pub use table::Mapping;
