use crate::mapping::Transport;
use crate::rule::Network;

/// The first IPv4 packet of a connection. An address is any of a network: a rule about a part of it may fit or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    pub comes_in: &'a str,
    /// `None`: it is for the router itself, or not yet routed.
    pub goes_out: Option<&'a str>,
    pub source: Network,
    pub destination: Network,
    pub protocol: Transport,
    pub port: u16,
    /// Whether its destination has been translated.
    pub translated: bool,
}
