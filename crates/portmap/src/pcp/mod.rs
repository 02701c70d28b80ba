//! PCP, the Port Control Protocol (RFC 6887): mappings for IPv4, pinholes in the firewall for IPv6.
//!
//! [`packet`] turns bytes into values and back, [`Client`] asks one gateway for one mapping.
//!
//! # Where this departs from the RFC, and why
//! - §8.1.1: "IRT: Initial retransmission time, SHOULD be 3 seconds". A single datagram lost on a wireless link would
//!   then cost a user three seconds before the terminal opens. Probes, requests and deletions start at 250 ms, as
//!   NAT-PMP does on the same port of the same routers (RFC 6886 §3.1).
//! - §8.1.1 retransmits for ever. We stop, because the owner has other protocols to try:
//!   [`PROBE_ATTEMPTS`](crate::control_port::PROBE_ATTEMPTS) before the gateway was heard,
//!   [`REQUEST_ATTEMPTS`](crate::control_port::REQUEST_ATTEMPTS) after. A later answer still counts.
//! - §11.2.1: "renewal requests MUST NOT be sent less than four seconds apart". Renewals therefore start above the
//!   3 s of §8.1.1, at 4.5 s, so that the jitter of ±10% stays above 4 s; up to the MRT of 1024 s.
//! - §8.5 has the mapping renewed after an implausible epoch. After an announcement, which wakes every client at once,
//!   a client "MUST wait a random amount of time between 0 and 5 seconds". We wait up to two
//!   ([`RESTART_DELAY_MAXIMUM`](crate::control_port::RESTART_DELAY_MAXIMUM)). In an answer to our own question the loss
//!   is told at once, and not at all where the same answer grants the mapping.
//! - §14.1.3 has an announcement with a plausible epoch ignored. We look after the mapping all the same: nothing but a
//!   loss or a new address is announced, and miniupnpd 2.3.1 (measured) announces its start with the uptime of the
//!   system for an epoch, as Debian and OpenWrt configure it.
//! - §14.2: what the gateway says unasked about our mapping is not believed, but a reason to ask.
//! - §13.2 means PREFER_FAILURE for gateways between protocols. We use it to keep two sessions off one port, and do
//!   not believe in it: miniupnpd 2.3.1 (measured) grants the next port all the same when another mapping or a socket
//!   of its own host has the one asked for. A grant for another port is deleted again and told as a refusal. Where
//!   the option is not known the request is repeated without it.
//! - §15 has a deletion of nothing succeed. miniupnpd 2.3.1 (measured) answers NO_RESOURCES, which also means that it
//!   could not delete: such a release is told as unconfirmed.
//! - §15 again: the same miniupnpd forgets the nonce of an IPv6 pinhole when it is renewed, and refuses to delete it
//!   then. It is asked for the shortest lease instead, and the release told as unconfirmed.
//! - §9: only version 2 is spoken; a gateway with another version is absent. Version 0 is NAT-PMP's.
//! - §7.3: options in answers are not read; none that we ask for has content there.

mod client;
pub mod packet;

pub use client::{Client, Pcp};
pub use packet::Nonce;
