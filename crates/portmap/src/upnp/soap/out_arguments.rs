//! The out-arguments of each action, read into types.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;

use thiserror::Error;

use super::reply::Reply;
use crate::mapping::Transport;

/// An out-argument that the reply should have had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArgumentError {
    #[error("reply has no {name}")]
    Missing { name: &'static str },
    #[error("{name} is {found:?}, expected {expected}")]
    Invalid { name: &'static str, expected: &'static str, found: String },
}

/// Where the WAN is reachable, from `GetExternalIPAddress`.
///
/// `None`: the router has no address (empty, unspecified or loopback), or tells one of IPv6, which these IPv4 services
/// do not map. A private or shared address is returned, as it tells of a second NAT.
///
/// # Errors
///
/// The argument is missing or not an IP address.
pub fn external_ip_address(reply: &Reply) -> Result<Option<IpAddr>, ArgumentError> {
    const NAME: &str = "NewExternalIPAddress";
    if required(reply, NAME)?.is_empty() {
        return Ok(None);
    }
    let address = number::<IpAddr>(reply, NAME, "an ip address")?.to_canonical();
    Ok((address.is_ipv4() && !address.is_unspecified() && !address.is_loopback()).then_some(address))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// `Connected` (WANIPConnection:1, `ConnectionStatus`), or `Up` as some routers write.
    Connected,
    /// Any other status, as received: `Disconnected`, `Connecting`, `Unconfigured`…
    NotConnected { status: String },
}

/// Whether this WAN connection is up, from `GetStatusInfo`.
///
/// # Errors
///
/// The argument is missing.
pub fn connection_status(reply: &Reply) -> Result<ConnectionStatus, ArgumentError> {
    let status = required(reply, "NewConnectionStatus")?;
    let connected = ["Connected", "Up"].iter().any(|word| status.eq_ignore_ascii_case(word));
    Ok(if connected {
        ConnectionStatus::Connected
    } else {
        ConnectionStatus::NotConnected { status: status.to_owned() }
    })
}

/// For how long the connection is up, in seconds, from `GetStatusInfo`; `None` if the router does not tell.
pub fn uptime_seconds(reply: &Reply) -> Option<u32> {
    reply.argument("NewUptime")?.parse().ok()
}

/// Whom an entry of the router's table forwards to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InternalClient {
    Address(IpAddr),
    /// A host name, or whatever else the router wrote; as received.
    Name(String),
}

/// An entry of the router's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMappingEntry {
    /// Only `GetGenericPortMappingEntry` tells; the other action was asked for it.
    pub external_port: Option<u16>,
    /// Only `GetGenericPortMappingEntry` tells, and `None` also for a protocol that is neither UDP nor TCP.
    pub transport: Option<Transport>,
    pub internal_client: InternalClient,
    pub internal_port: u16,
    /// True if the router does not say.
    pub enabled: bool,
    /// Empty if the router does not say.
    pub description: String,
    /// What remains; 0 is forever; `None` if the router does not say.
    pub lease_seconds: Option<u32>,
}

impl PortMappingEntry {
    /// Whether it is an entry of nothing, as some routers show for a free port.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let has_client = match &self.internal_client {
            InternalClient::Address(address) => !address.is_unspecified(),
            InternalClient::Name(name) => !name.is_empty(),
        };
        self.internal_port == 0 && !has_client
    }
}

/// An entry from `GetSpecificPortMappingEntry` or `GetGenericPortMappingEntry`.
///
/// # Errors
///
/// The internal client or port is missing, or the port is not a number from 0 to 65535.
pub fn port_mapping_entry(reply: &Reply) -> Result<PortMappingEntry, ArgumentError> {
    let client = required(reply, "NewInternalClient")?;
    Ok(PortMappingEntry {
        external_port: reply.argument("NewExternalPort").and_then(|port| port.parse().ok()),
        transport: reply.argument("NewProtocol").and_then(transport),
        internal_client: match address(client) {
            Some(address) => InternalClient::Address(address),
            None => InternalClient::Name(client.to_owned()),
        },
        internal_port: number(reply, "NewInternalPort", "a port")?,
        enabled: reply.argument("NewEnabled").and_then(boolean).unwrap_or(true),
        description: reply.argument("NewPortMappingDescription").unwrap_or_default().to_owned(),
        lease_seconds: reply.argument("NewLeaseDuration").and_then(|lease| lease.parse().ok()),
    })
}

/// The external port that `AddAnyPortMapping` took (WANIPConnection:2).
///
/// It is `NewReservedPort`; old miniupnpd described it as `NewExternalPort`.
///
/// # Errors
///
/// Neither is there, or it is no port.
pub fn assigned_port(reply: &Reply) -> Result<NonZeroU16, ArgumentError> {
    let expected = "a port from 1 to 65535";
    match number(reply, "NewReservedPort", expected) {
        Err(ArgumentError::Missing { name }) => {
            number(reply, "NewExternalPort", expected).map_err(|error| match error {
                ArgumentError::Missing { .. } => ArgumentError::Missing { name },
                invalid @ ArgumentError::Invalid { .. } => invalid,
            })
        }
        result => result,
    }
}

/// What `AddPinhole` calls the new pinhole (WANIPv6FirewallControl:1, `UniqueID`).
///
/// # Errors
///
/// It is missing or not a number from 0 to 65535.
pub fn pinhole_id(reply: &Reply) -> Result<u16, ArgumentError> {
    number(reply, "UniqueID", "a number from 0 to 65535")
}

/// From `GetFirewallStatus` (WANIPv6FirewallControl:1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirewallStatus {
    /// Whether the gateway filters IPv6 at all.
    pub enabled: bool,
    /// Whether pinholes can be asked for.
    pub inbound_pinhole_allowed: bool,
}

/// Reads the reply to `GetFirewallStatus`.
///
/// # Errors
///
/// An argument is missing or not a boolean.
pub fn firewall_status(reply: &Reply) -> Result<FirewallStatus, ArgumentError> {
    let flag = |name| {
        let found = required(reply, name)?;
        boolean(found).ok_or_else(|| invalid(name, "0 or 1", found))
    };
    Ok(FirewallStatus {
        enabled: flag("FirewallEnabled")?,
        inbound_pinhole_allowed: flag("InboundPinholeAllowed")?,
    })
}

/// Some routers write each number of an IPv4 address with three digits.
fn address(text: &str) -> Option<IpAddr> {
    let number =
        |digits: &str| digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let padded = || {
        let numbers: Option<Vec<u8>> = text.split('.').map(number).collect();
        Some(IpAddr::from(<[u8; 4]>::try_from(numbers?).ok()?))
    };
    text.parse().ok().or_else(padded)
}

fn required<'a>(reply: &'a Reply, name: &'static str) -> Result<&'a str, ArgumentError> {
    reply.argument(name).ok_or(ArgumentError::Missing { name })
}

fn number<T: FromStr>(reply: &Reply, name: &'static str, expected: &'static str) -> Result<T, ArgumentError> {
    let found = required(reply, name)?;
    found.parse().map_err(|_| invalid(name, expected, found))
}

fn invalid(name: &'static str, expected: &'static str, found: &str) -> ArgumentError {
    ArgumentError::Invalid { name, expected, found: found.to_owned() }
}

/// UDA 1.1 §2.5, data type `boolean`.
fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match () {
        () if is(&["1", "true", "yes"]) => Some(true),
        () if is(&["0", "false", "no"]) => Some(false),
        () => None,
    }
}

fn transport(text: &str) -> Option<Transport> {
    match text.to_ascii_uppercase().as_str() {
        "UDP" => Some(Transport::Udp),
        "TCP" => Some(Transport::Tcp),
        _ => None,
    }
}
