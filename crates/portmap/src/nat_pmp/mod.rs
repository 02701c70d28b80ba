//! NAT-PMP, the NAT Port Mapping Protocol (RFC 6886): IPv4 only, what most home routers with PCP speak too.
//!
//! [`packet`] turns bytes into values and back, [`Client`] asks one gateway for one mapping.
//!
//! # Where this departs from the RFC, and why
//! - §3.1 lets a client try nine times over two minutes before it concludes that there is no NAT-PMP. A probe here
//!   gives up after [`PROBE_ATTEMPTS`](crate::control_port::PROBE_ATTEMPTS): somebody waits for a terminal. Its answer
//!   still counts if it comes late. Once the gateway has answered anything, requests get all nine attempts.
//! - §1.1 recommends to try PCP first and NAT-PMP after its refusal. Both are asked side by side; who owns the
//!   clients decides.
//! - §3.3 makes port 0 mean "any external port". Some routers refuse that, so a port is always suggested.
//! - §3.6 "MUST immediately renew" and §3.7 "MUST first delay by a random amount of time" contradict each other.
//!   An announcement, which wakes every client at once, is followed by §3.7's delay, cut to
//!   [`RESTART_DELAY_MAXIMUM`](crate::control_port::RESTART_DELAY_MAXIMUM); an answer to our own question
//!   wakes only us, and is acted on at once.
//!
//! Some gateway pairs (CARP) answer from another address than the one asked. We discard that, as §3.2 and §3.3 demand:
//! an answer from elsewhere cannot be told from a forgery.

mod client;
pub mod packet;

pub use client::{Client, NatPmp};
