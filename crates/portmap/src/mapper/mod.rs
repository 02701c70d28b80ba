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
//! Where one mapped on this network before, it is asked *first*: PCP for what is wanted, without asking whether it is
//! there, so that a router that is slow, or asked by many, gets one question a session; NAT-PMP after it told the external
//! address; UPnP beside a probe of PCP. The others begin when it refuses, says that it is not there, or keeps silent for a
//! while.
//!
//! On a strange network all are looked for side by side, and the *best answer* is the first: PCP and NAT-PMP take one
//! round trip to show that they are there. UPnP takes at least three, so that its search goes out at once, but what it
//! finds is asked for its description, the first thing that costs a router much, only once the other two have said that
//! they are not there, or kept silent for a moment. What the first then refuses, the others are asked for before the
//! mapper gives up; but NAT-PMP waits as long as PCP may still answer late, for one server speaks both. A mapping stays
//! with the protocol that made it, as long as that one answers.
//!
//! A question that was given up may still be answered. What it grants is taken where nothing else serves yet; else it is
//! given back, and what is kept is looked at once more, for some routers keep one table for all protocols. A new mapping
//! is told only after that, for up to 7 s. A mapper ends
//! only after it has given back everything that it may still be granted, or has told what it could not.
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
//! holds a socket on that number ([`Reservation`](crate::effects::Reservation)).

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
    Control, Event, External, MadeElsewhere, Mapping, Protocol, Record, Remembered, Settings, Wanted,
};
