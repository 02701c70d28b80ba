//! What a state machine of this crate asks its shell to do, as plain values.
//!
//! The shell performs them in order and hands back what came in. It never looks inside.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Instant;

use crate::address::Network;

/// The UDP sockets that a shell keeps for one [`Mapper`](crate::mapper::Mapper).
///
/// All of them are bound to the internal address on the gateway's link, so that a router which compares the
/// request's source with the mapped address sees them agree.
///
/// Link-local addresses go in and out without a scope: all of them are on that link, and the shell says so to the
/// kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Socket {
    /// SSDP: unconnected, ephemeral port; sends to the gateway and to port 1900 of 239.255.255.250 (UDA 1.1 §1.3.2),
    /// or of ff02::c and ff05::c.
    Discovery,
    /// PCP and NAT-PMP: connected to the gateway's port 5351, so that an ICMP refusal becomes an answer.
    Control,
    /// Restart announcements: bound to port 5350, joined to 224.0.0.1 or ff02::1 (RFC 6887 §14.1.3). Only received
    /// from.
    Announcements,
    /// What a UPnP gateway notifies everybody of: bound to port 1900 of 239.255.255.250 or ff02::c, and deaf to everybody
    /// but [`StateMachine::notifying_gateway`]. Only received from.
    Notifications,
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

/// A port number that only this session of this host may ask the gateway for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// To be answered by [`StateMachine::handle_reservation`].
    Take(NonZeroU16),
    Drop(NonZeroU16),
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

/// What a shell performs the effects of: it calls `handle_*` with what came in, takes everything from `poll_*`, and then
/// calls [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout).
pub trait StateMachine {
    type Event;

    fn handle_datagram(&mut self, socket: Socket, from: SocketAddr, payload: &[u8], now: Instant);
    /// What was sent on `socket` came back as "port unreachable".
    fn handle_unreachable(&mut self, socket: Socket, now: Instant);
    fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant);
    fn handle_timeout(&mut self, now: Instant);

    fn poll_transmit(&mut self) -> Option<Transmit>;
    fn poll_exchange(&mut self) -> Option<Exchange>;
    fn poll_close(&mut self) -> Option<ExchangeId>;
    fn poll_event(&mut self) -> Option<Self::Event>;
    /// When to call [`handle_timeout`](Self::handle_timeout), once everything else has been polled; output that waits is no
    /// deadline.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The networks of the internal address's link, each by this host's address in it.
    fn handle_networks(&mut self, _networks: Vec<Network>) {}

    /// From whom [`Socket::Notifications`] is to hear; it is needed as long as there is one.
    fn notifying_gateway(&self) -> Option<IpAddr> {
        None
    }

    /// Only what maps ports needs any.
    fn poll_reservation(&mut self) -> Option<Reservation> {
        None
    }

    fn handle_reservation(&mut self, _port: NonZeroU16, _taken: bool, _now: Instant) {}
}
