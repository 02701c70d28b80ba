//! The life of one mapping: find, request, verify, renew, recover, release.
//!
//! A [`Mapper`] begins to look for a gateway as soon as it exists; what it is to map may come later with
//! [`Mapper::map`], so that the search runs while mosh-server starts. From the first [`Event::Mapped`] on it keeps
//! the mapping until [`Mapper::release`]: looked at every [`CHECK_INTERVAL`], renewed at half of its lease, made again
//! when the gateway lost it, on another port when somebody else took it and another will do.
//!
//! It owns no socket. The owner calls `handle_*` with what came in, then takes everything from `poll_transmit`,
//! `poll_exchange`, `poll_close`, `poll_reservation` and `poll_event`, and calls [`Mapper::handle_timeout`] at
//! [`Mapper::poll_timeout`].
//!
//! # Which protocol
//!
//! All are asked side by side, and the *best answer* is the first: PCP and NAT-PMP take one round trip to show that
//! they are there, UPnP at least three, so a better protocol (in the order of [`Protocol`]) is only passed over where
//! it kept silent that long. What the first then refuses, the others are asked for before the mapper gives up. A
//! mapping stays with the protocol that made it, as long as that one answers.
//!
//! # IPv6
//!
//! For an IPv6 address nothing is translated: what is kept is a pinhole in the gateway's firewall, by PCP or by UPnP's
//! WANIPv6FirewallControl. Its external address and port are the internal ones; another port cannot be had.
//!
//! # Ports that are not the same inside and outside
//!
//! A UPnP gateway overwrites a mapping when the same host asks for the same external port again. Two sessions on one
//! host must therefore never ask for the same one, and no gateway keeps them apart. What does is the host's own port
//! table: an external port of our own choice that differs from the internal one is asked for only while the owner
//! holds a socket on that number ([`Reservation`]).

mod effects;
mod elsewhere;
mod machine;
mod ports;
mod schedule;
mod speaker;
pub mod survey;
#[cfg(test)]
mod tests;
mod values;

pub use self::machine::Mapper;
pub use self::schedule::CHECK_INTERVAL;
pub use self::values::{
    Control, Event, External, MadeElsewhere, Mapping, Protocol, Record, Reservation, Settings, Wanted,
};
