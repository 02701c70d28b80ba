//! Actions of WANIPConnection:1 and :2, WANPPPConnection:1 and WANIPv6FirewallControl:1, ready to be posted.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;

use crate::mapping::Transport;
use crate::upnp::xml::escape;

/// The longest description that is sent, in characters; some routers refuse longer ones with error 605.
pub const MAXIMUM_DESCRIPTION: usize = 60;

/// One action, to be sent by [`http::post`](crate::upnp::http::post).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `urn:…#Action`, without quotes.
    pub action_header: String,
    pub body: String,
}

/// What [`add_port_mapping`] asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMapping {
    /// Never 0, which on some routers forwards everything.
    pub external_port: NonZeroU16,
    pub transport: Transport,
    pub internal_client: IpAddr,
    pub internal_port: NonZeroU16,
    /// Shown in the router's table. Sent as printable ASCII, cut to [`MAXIMUM_DESCRIPTION`].
    pub description: String,
    /// 0 to 604800 (a week). 0 is forever in WANIPConnection:1, and a week in :2.
    pub lease_seconds: u32,
}

/// What [`add_pinhole`] asks for: any remote host and port may reach the internal client's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pinhole {
    pub internal_client: Ipv6Addr,
    pub internal_port: NonZeroU16,
    pub transport: Transport,
    /// 1 to 86400 (a day).
    pub lease_seconds: u32,
}

/// WANIPConnection:1 and WANPPPConnection:1, `GetExternalIPAddress`.
pub fn get_external_ip_address(service_type: &str) -> Call {
    call(service_type, "GetExternalIPAddress", &[])
}

/// WANIPConnection:1 and WANPPPConnection:1, `GetStatusInfo`.
pub fn get_status_info(service_type: &str) -> Call {
    call(service_type, "GetStatusInfo", &[])
}

/// WANIPConnection:1 and WANPPPConnection:1, `AddPortMapping`.
///
/// An entry for the same external port and internal client is overwritten (WANIPConnection:1,
/// `AddPortMapping`).
pub fn add_port_mapping(service_type: &str, mapping: &PortMapping) -> Call {
    call(service_type, "AddPortMapping", &mapping_arguments(mapping))
}

/// WANIPConnection:2, `AddAnyPortMapping`: the router takes another external port if the wanted one is not
/// free.
pub fn add_any_port_mapping(service_type: &str, mapping: &PortMapping) -> Call {
    call(service_type, "AddAnyPortMapping", &mapping_arguments(mapping))
}

/// WANIPConnection:1 and WANPPPConnection:1, `DeletePortMapping`.
pub fn delete_port_mapping(service_type: &str, external_port: NonZeroU16, transport: Transport) -> Call {
    call(service_type, "DeletePortMapping", &entry_arguments(external_port, transport))
}

/// WANIPConnection:1 and WANPPPConnection:1, `GetSpecificPortMappingEntry`.
pub fn get_specific_port_mapping_entry(
    service_type: &str,
    external_port: NonZeroU16,
    transport: Transport,
) -> Call {
    call(service_type, "GetSpecificPortMappingEntry", &entry_arguments(external_port, transport))
}

/// WANIPConnection:1 and WANPPPConnection:1, `GetGenericPortMappingEntry`; `index` counts from 0.
pub fn get_generic_port_mapping_entry(service_type: &str, index: u16) -> Call {
    call(service_type, "GetGenericPortMappingEntry", &[("NewPortMappingIndex", index.to_string())])
}

/// WANIPv6FirewallControl:1, `GetFirewallStatus`.
pub fn get_firewall_status(service_type: &str) -> Call {
    call(service_type, "GetFirewallStatus", &[])
}

/// WANIPv6FirewallControl:1, `AddPinhole`. The connection must come from the internal client's own address.
pub fn add_pinhole(service_type: &str, pinhole: &Pinhole) -> Call {
    let arguments = [
        ("RemoteHost", String::new()),
        ("RemotePort", "0".to_owned()),
        ("InternalClient", pinhole.internal_client.to_string()),
        ("InternalPort", pinhole.internal_port.to_string()),
        ("Protocol", protocol_number(pinhole.transport).to_string()),
        ("LeaseTime", pinhole.lease_seconds.to_string()),
    ];
    call(service_type, "AddPinhole", &arguments)
}

/// WANIPv6FirewallControl:1, `UpdatePinhole`: a new lease of 1 to 86400 seconds from now.
pub fn update_pinhole(service_type: &str, pinhole_id: u16, lease_seconds: u32) -> Call {
    let arguments = [("UniqueID", pinhole_id.to_string()), ("NewLeaseTime", lease_seconds.to_string())];
    call(service_type, "UpdatePinhole", &arguments)
}

/// WANIPv6FirewallControl:1, `DeletePinhole`.
pub fn delete_pinhole(service_type: &str, pinhole_id: u16) -> Call {
    call(service_type, "DeletePinhole", &[("UniqueID", pinhole_id.to_string())])
}

fn mapping_arguments(mapping: &PortMapping) -> [(&'static str, String); 8] {
    [
        ("NewRemoteHost", String::new()),
        ("NewExternalPort", mapping.external_port.to_string()),
        ("NewProtocol", protocol_name(mapping.transport).to_owned()),
        ("NewInternalPort", mapping.internal_port.to_string()),
        ("NewInternalClient", mapping.internal_client.to_string()),
        ("NewEnabled", "1".to_owned()),
        ("NewPortMappingDescription", plain(&mapping.description)),
        ("NewLeaseDuration", mapping.lease_seconds.to_string()),
    ]
}

fn entry_arguments(external_port: NonZeroU16, transport: Transport) -> [(&'static str, String); 3] {
    [
        ("NewRemoteHost", String::new()),
        ("NewExternalPort", external_port.to_string()),
        ("NewProtocol", protocol_name(transport).to_owned()),
    ]
}

/// The envelope begins at the first byte and has no white space between elements: parsers exist that want
/// both.
fn call(service_type: &str, action: &str, arguments: &[(&str, String)]) -> Call {
    let mut body = format!(
        "<?xml version=\"1.0\"?>\r\n\
         <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
         <u:{action} xmlns:u=\"{}\">",
        escape(service_type)
    );
    for (name, value) in arguments {
        let _ = write!(body, "<{name}>{}</{name}>", escape(value));
    }
    let _ = write!(body, "</u:{action}></s:Body></s:Envelope>\r\n");
    Call { action_header: format!("{service_type}#{action}"), body }
}

fn plain(description: &str) -> String {
    let plain =
        |character: char| if character.is_ascii_graphic() || character == ' ' { character } else { '_' };
    description.chars().take(MAXIMUM_DESCRIPTION).map(plain).collect()
}

fn protocol_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    }
}

/// IANA protocol numbers, as WANIPv6FirewallControl:1 wants them.
fn protocol_number(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 17,
        Transport::Tcp => 6,
    }
}
