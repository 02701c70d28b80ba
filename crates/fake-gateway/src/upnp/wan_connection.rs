//! What the actions of WANIPConnection and WANPPPConnection do to the table.

use std::net::Ipv4Addr;
use std::time::Instant;

use portmap::mapping::Transport;

use super::action::Action;
use crate::builder::{Protocol, Quirk};
use crate::state::State;
use crate::table::Mapping;

const INVALID_ARGUMENTS: u16 = 402;
const ACTION_NOT_AUTHORIZED: u16 = 606;
const INDEX_INVALID: u16 = 713;
const NO_SUCH_ENTRY: u16 = 714;
const WILDCARD_NOT_PERMITTED: u16 = 716;
const CONFLICT: u16 = 718;
const SAME_PORT_VALUES_REQUIRED: u16 = 724;
const ONLY_PERMANENT_LEASES: u16 = 725;
const REMOTE_HOST_ONLY_WILDCARD: u16 = 726;
const NO_PORT_MAPS_AVAILABLE: u16 = 728;

/// WANIPConnection:2 §2.3.7 knows no longer lease, and none without an end.
const LEASE_MAXIMUM_OF_VERSION_2: u32 = 604_800;

type Outcome = Result<Vec<(&'static str, String)>, u16>;

pub(super) fn perform(state: &mut State, client: Ipv4Addr, action: &Action, now: Instant) -> Outcome {
    match action.name.as_str() {
        "GetStatusInfo" => Ok(status(state, now)),
        "GetExternalIPAddress" => Ok(vec![("NewExternalIPAddress", external_address(state))]),
        "AddPortMapping" => add(state, client, action, now),
        "AddAnyPortMapping" if state.settings.igd_version > 1 => add_any(state, client, action, now),
        "GetSpecificPortMappingEntry" => specific_entry(state, action),
        "GetGenericPortMappingEntry" => generic_entry(state, action),
        "DeletePortMapping" => delete(state, client, action),
        _ => Err(super::INVALID_ACTION),
    }
}

fn status(state: &State, now: Instant) -> Vec<(&'static str, String)> {
    let connected = state.settings.external_address.is_some();
    vec![
        ("NewConnectionStatus", if connected { "Connected" } else { "Disconnected" }.into()),
        ("NewLastConnectionError", "ERROR_NONE".into()),
        ("NewUptime", state.epoch(now).to_string()),
    ]
}

fn external_address(state: &State) -> String {
    state.settings.external_address.map(|address| address.to_string()).unwrap_or_default()
}

fn add(state: &mut State, client: Ipv4Addr, action: &Action, now: Instant) -> Outcome {
    let mapping = wanted(state, client, action)?;
    let port = mapping.external_port;
    if !state.settings.allowed.contains(&port) {
        return Err(ACTION_NOT_AUTHORIZED);
    }
    let held = state.table.get(mapping.transport, port);
    if held.is_some_and(|held| held.client != mapping.client || state.has(Quirk::NoOverwriting)) {
        return Err(CONFLICT);
    }
    store(state, mapping, now)?;
    Ok(Vec::new())
}

/// WANIPConnection:2 §2.5.17. The client's own entry is overwritten, as by `AddPortMapping`.
fn add_any(state: &mut State, client: Ipv4Addr, action: &Action, now: Instant) -> Outcome {
    let mut mapping = wanted(state, client, action)?;
    let (transport, port) = (mapping.transport, mapping.external_port);
    if state.table.get(transport, port).is_none_or(|held| held.client != mapping.client) {
        let free = state.table.free_port(transport, port, &state.settings.allowed);
        mapping.external_port = free.map_err(|_| NO_PORT_MAPS_AVAILABLE)?;
    }
    let reserved = ("NewReservedPort", mapping.external_port.to_string());
    store(state, mapping, now)?;
    Ok(vec![reserved])
}

fn store(state: &mut State, mapping: Mapping, now: Instant) -> Result<(), u16> {
    let known = state.table.get(mapping.transport, mapping.external_port).is_some();
    if !known && state.table.len() >= state.settings.mappings_maximum {
        return Err(NO_PORT_MAPS_AVAILABLE);
    }
    if !state.has(Quirk::AddsNothing) {
        state.table.insert(mapping, None, now);
    }
    Ok(())
}

/// The mapping that the arguments ask for, if it may be asked for.
fn wanted(state: &State, client: Ipv4Addr, action: &Action) -> Result<Mapping, u16> {
    let transport = transport(action)?;
    let external_port = port(action, "NewExternalPort")?;
    let internal_port = port(action, "NewInternalPort")?;
    let target: Ipv4Addr = action.argument("NewInternalClient").parse().map_err(|_| INVALID_ARGUMENTS)?;
    match () {
        () if !action.argument("NewRemoteHost").is_empty() => return Err(REMOTE_HOST_ONLY_WILDCARD),
        () if external_port == 0 => return Err(WILDCARD_NOT_PERMITTED),
        () if internal_port == 0 || action.argument("NewEnabled") != "1" => return Err(INVALID_ARGUMENTS),
        () if state.settings.secure_mode && target != client => return Err(not_theirs(state, CONFLICT)),
        () if !state.settings.allowed_internal.contains(&internal_port) => return Err(ACTION_NOT_AUTHORIZED),
        () if state.has(Quirk::SamePortsOnly) && external_port != internal_port => {
            return Err(SAME_PORT_VALUES_REQUIRED);
        }
        () => {}
    }
    Ok(Mapping {
        transport,
        external_port,
        client: target,
        internal_port,
        description: kept_description(state, action.argument("NewPortMappingDescription")),
        lease_seconds: lease(state, action)?,
        made_by: Protocol::Upnp,
    })
}

/// As miniupnpd's two builds answer.
fn not_theirs(state: &State, code_of_version_1: u16) -> u16 {
    if state.settings.igd_version > 1 { ACTION_NOT_AUTHORIZED } else { code_of_version_1 }
}

fn kept_description(state: &State, description: &str) -> String {
    let limits = state.settings.quirks.iter().filter_map(|quirk| match quirk {
        Quirk::CutsDescriptions(length) => Some(*length),
        _ => None,
    });
    description.chars().take(limits.min().unwrap_or(usize::MAX)).collect()
}

fn lease(state: &State, action: &Action) -> Result<u32, u16> {
    let asked: u32 = action.argument("NewLeaseDuration").parse().map_err(|_| INVALID_ARGUMENTS)?;
    match asked {
        0 if state.has(Quirk::NoPermanentLeases) => Err(INVALID_ARGUMENTS),
        0 | LEASE_MAXIMUM_OF_VERSION_2.. if state.settings.igd_version > 1 => Ok(LEASE_MAXIMUM_OF_VERSION_2),
        1.. if state.has(Quirk::OnlyPermanentLeases) => Err(ONLY_PERMANENT_LEASES),
        asked => Ok(asked),
    }
}

fn specific_entry(state: &State, action: &Action) -> Outcome {
    let port = port(action, "NewExternalPort")?;
    let mapping = state.table.get(transport(action)?, port).ok_or(NO_SUCH_ENTRY)?;
    Ok(target(state, mapping))
}

fn generic_entry(state: &State, action: &Action) -> Outcome {
    let index: usize = action.argument("NewPortMappingIndex").parse().map_err(|_| INVALID_ARGUMENTS)?;
    let mapping = state.table.mappings().nth(index).ok_or(INDEX_INVALID)?;
    let protocol = match mapping.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    let mut arguments = vec![
        ("NewRemoteHost", String::new()),
        ("NewExternalPort", mapping.external_port.to_string()),
        ("NewProtocol", protocol.into()),
    ];
    arguments.extend(target(state, mapping));
    Ok(arguments)
}

fn target(state: &State, mapping: &Mapping) -> Vec<(&'static str, String)> {
    let lease = if state.has(Quirk::HidesLeases) { 0 } else { mapping.lease_seconds };
    let (mut client, mut description) = (mapping.client.to_string(), mapping.description.clone());
    for quirk in &state.settings.quirks {
        match quirk {
            Quirk::ShowsClient(shown) => client = (*shown).into(),
            Quirk::ShowsDescription(shown) => description = (*shown).into(),
            _ => {}
        }
    }
    vec![
        ("NewInternalPort", mapping.internal_port.to_string()),
        ("NewInternalClient", client),
        ("NewEnabled", "1".into()),
        ("NewPortMappingDescription", description),
        ("NewLeaseDuration", lease.to_string()),
    ]
}

fn delete(state: &mut State, client: Ipv4Addr, action: &Action) -> Outcome {
    let (transport, port) = (transport(action)?, port(action, "NewExternalPort")?);
    let mapping = state.table.get(transport, port).ok_or(NO_SUCH_ENTRY)?;
    if state.settings.secure_mode && mapping.client != client {
        return Err(not_theirs(state, NO_SUCH_ENTRY));
    }
    state.table.remove(transport, port);
    Ok(Vec::new())
}

/// In upper case, as some routers want it.
fn transport(action: &Action) -> Result<Transport, u16> {
    match action.argument("NewProtocol") {
        "UDP" => Ok(Transport::Udp),
        "TCP" => Ok(Transport::Tcp),
        _ => Err(INVALID_ARGUMENTS),
    }
}

fn port(action: &Action, name: &str) -> Result<u16, u16> {
    action.argument(name).parse().map_err(|_| INVALID_ARGUMENTS)
}
