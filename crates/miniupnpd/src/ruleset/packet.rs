use crate::rule::Network;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// RFC 790.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// The first IPv4 packet of a connection. An address is any of a network: a rule about a part of it may fit or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    pub comes_in: &'a str,
    /// `None`: it is for the router itself, or not yet routed.
    pub goes_out: Option<&'a str>,
    pub source: Network,
    pub destination: Network,
    pub protocol: Protocol,
    pub port: u16,
    /// Whether its destination has been translated.
    pub translated: bool,
}
