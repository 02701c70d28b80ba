//! What is mapped, whoever tells it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV4;
use std::num::NonZeroU16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Tcp,
    Udp,
}

/// A port of the router's outside; each leads to one place at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct External {
    pub transport: Transport,
    pub port: NonZeroU16,
}

/// Where each external port leads.
pub type Mappings = BTreeMap<External, SocketAddrV4>;

impl External {
    #[must_use]
    pub fn udp(port: NonZeroU16) -> Self {
        Self { transport: Transport::Udp, port }
    }
}

impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Tcp => "TCP",
            Transport::Udp => "UDP",
        };
        write!(f, "{transport} port {}", self.port)
    }
}
