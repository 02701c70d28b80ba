//! What is mapped, whoever tells it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV4;
use std::num::NonZeroU16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Udp];

    /// As nftables has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// RFC 790.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
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
        write!(f, "{} port {}", self.transport, self.port)
    }
}
