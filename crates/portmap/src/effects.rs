//! What a state machine of this crate asks its shell to do, as plain values.
//!
//! The shell performs them in order and hands back what came in. It never looks inside.

use std::net::{IpAddr, SocketAddr};

/// The UDP sockets that a shell keeps for one [`Mapper`](crate::mapper::Mapper).
///
/// All of them are bound to the internal address on the gateway's link, so that a router which compares the
/// request's source with the mapped address sees them agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Socket {
    /// SSDP: unconnected, ephemeral port; sends to the gateway and to 239.255.255.250:1900 (UDA 1.1 §1.3.2).
    Discovery,
    /// PCP and NAT-PMP: connected to the gateway's port 5351, so that an ICMP refusal becomes an answer.
    Control,
    /// Restart announcements: bound to port 5350, joined to 224.0.0.1 (RFC 6887 §14.1.3). Only received from.
    Announcements,
}

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    pub socket: Socket,
    pub destination: SocketAddr,
    pub payload: Vec<u8>,
}

/// Names one [`Exchange`] while it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// A TCP exchange: connect, send the whole request in one write, then pass on whatever is received.
///
/// The shell binds the connection to `source`: a gateway in secure mode grants a mapping only to the address
/// that asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub id: ExchangeId,
    pub source: IpAddr,
    pub destination: SocketAddr,
    pub request: Vec<u8>,
}

/// What a running [`Exchange`] produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeInput<'a> {
    Received(&'a [u8]),
    /// The peer closed its side in good order.
    Ended,
    /// Not connected, reset, or unreachable.
    Broken,
}
