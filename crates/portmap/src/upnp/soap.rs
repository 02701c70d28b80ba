//! SOAP as UPnP uses it: actions to invoke, and what their replies say (UDA 1.1 §3).
//!
//! The argument order of every [`Call`] is that of the service description, which some routers insist on.
//! Replies are read by argument name alone: routers differ in prefixes, namespaces and order.

mod call;
mod out_arguments;
mod reply;

pub use self::call::{
    Call, MAXIMUM_DESCRIPTION, Pinhole, PortMapping, add_any_port_mapping, add_pinhole, add_port_mapping,
    delete_pinhole, delete_port_mapping, get_external_ip_address, get_firewall_status,
    get_generic_port_mapping_entry, get_specific_port_mapping_entry, get_status_info, update_pinhole,
};
pub use self::out_arguments::{
    ArgumentError, ConnectionStatus, FirewallStatus, InternalClient, PortMappingEntry, assigned_port,
    connection_status, external_ip_address, firewall_status, pinhole_id, port_mapping_entry, uptime_seconds,
};
pub use self::reply::{Fault, MAXIMUM_ARGUMENTS, MAXIMUM_VALUE_CHARACTERS, Reply, parse_reply};

#[cfg(test)]
mod tests;
