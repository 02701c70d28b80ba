//! A network that the laptop is on.

use std::net::IpAddr;
use std::time::Duration;

use path::Family;

use crate::nat::Nat;

/// What the laptop is attached to.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) families: Vec<Family>,
    /// It is the server's own network.
    pub(crate) home: bool,
    pub(crate) nat: Option<Nat>,
    /// The laptop's own of IPv4, where it is the same each time.
    pub(crate) address: Option<IpAddr>,
    /// One way.
    pub(crate) delay: Duration,
    pub(crate) loss_percent: u64,
    /// Up to this much later, so that datagrams overtake each other.
    pub(crate) jitter: Duration,
    pub(crate) duplicates: bool,
}

impl Link {
    pub(crate) fn new(families: &[Family], delay: Duration) -> Self {
        let (families, jitter) = (families.to_vec(), Duration::ZERO);
        Self {
            families,
            home: false,
            nat: None,
            address: None,
            delay,
            loss_percent: 0,
            jitter,
            duplicates: false,
        }
    }
}
