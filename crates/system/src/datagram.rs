//! Datagram sockets: one that tells and sets the TOS byte, differentiated services (RFC 2474) and congestion (RFC 3168);
//! and what one does not hear.

use std::net::SocketAddr;

#[cfg(target_os = "linux")]
pub use crate::linux::source_filter::hear_only_notifications_of;
pub use crate::marked_socket::MarkedSocket;
#[cfg(not(target_os = "linux"))]
pub use crate::portable::source_filter::hear_only_notifications_of;

/// What came in; the bytes are in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub length: usize,
    pub from: SocketAddr,
    /// In IPv6 the traffic class. 0 where the system does not tell.
    pub tos: u8,
}
