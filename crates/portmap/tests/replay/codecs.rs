//! What each codec makes of one file, in a line.

use std::fmt::Write as _;

use portmap::address::reach;
use portmap::upnp::description::{self, Description};
use portmap::upnp::soap::{self, ConnectionStatus, Fault, InternalClient, Reply};
use portmap::upnp::ssdp::{self, MessageKind};
use portmap::upnp::url::Url;

use super::case::{Case, DESCRIPTION, File, SEARCH_REPLY};

pub(super) fn meaning(case: &Case, file: &File) -> String {
    match file.subject {
        SEARCH_REPLY => search_reply(file),
        _ if file.status == 0 => "no http reply".into(),
        DESCRIPTION => match describe(case, file) {
            Ok(description) => services(&description),
            Err(error) => error,
        },
        _ => answer(file),
    }
}

fn search_reply(file: &File) -> String {
    let message = match ssdp::parse(&file.stream) {
        Ok(message) => message,
        Err(error) => return error.to_string(),
    };
    let kind = match message.kind {
        MessageKind::SearchReply => "reply",
        MessageKind::Alive => "notification",
        MessageKind::ByeBye | MessageKind::Update => "other notification",
    };
    let whose = if message.names_gateway() { "a gateway" } else { "no gateway" };
    let location = match message.location.as_deref().map(Url::parse) {
        None => "nowhere".into(),
        Some(Ok(url)) => url.to_string(),
        Some(Err(error)) => error.to_string(),
    };
    format!("{kind} of {whose}, described at {location}")
}

/// The location that the file describes: that of the search reply with its number.
pub(super) fn location(case: &Case, number: usize) -> Option<Url> {
    let reply = case.file(SEARCH_REPLY, number)?;
    Url::parse(&ssdp::parse(&reply.stream).ok()?.location?).ok()
}

pub(super) fn describe(case: &Case, file: &File) -> Result<Description, String> {
    let default = || Url::parse("http://192.168.1.1/").map_err(|error| error.to_string());
    let location = location(case, file.number.unwrap_or(1)).map_or_else(default, Ok)?;
    description::parse(&file.body, &location).map_err(|error| error.to_string())
}

fn services(description: &Description) -> String {
    let name = description.friendly_name.as_deref().unwrap_or("nameless");
    let version =
        description.gateway_version().map_or("no gateway".into(), |version| format!("IGD:{version}"));
    let mut text = format!("{name:?}, {version}");
    for service in &description.services {
        let _ = write!(text, "\n    {} at {}", service.service_type, service.control_url);
    }
    text
}

fn answer(file: &File) -> String {
    let reply = match soap::parse_reply(file.status, &file.body) {
        Ok(reply) => reply,
        Err(Fault::Upnp { code, description }) => return format!("error {code} {description:?}"),
        Err(fault) => return fault.to_string(),
    };
    match file.subject {
        "status" => status(&reply),
        "external-address" => address(&reply),
        "specific-entry" => entry(&reply),
        _ => "done".into(),
    }
}

fn status(reply: &Reply) -> String {
    match soap::connection_status(reply) {
        Ok(ConnectionStatus::Connected) => "connected".into(),
        Ok(ConnectionStatus::NotConnected { status }) => format!("not connected: {status:?}"),
        Err(error) => error.to_string(),
    }
}

fn address(reply: &Reply) -> String {
    match soap::external_ip_address(reply) {
        Ok(Some(address)) => format!("{address} ({:?})", reach(address)),
        Ok(None) => "none".into(),
        Err(error) => error.to_string(),
    }
}

fn entry(reply: &Reply) -> String {
    let entry = match soap::port_mapping_entry(reply) {
        Ok(entry) => entry,
        Err(error) => return error.to_string(),
    };
    let client = match entry.internal_client {
        InternalClient::Address(address) => address.to_string(),
        InternalClient::Name(name) => format!("{name:?}"),
    };
    let lease = entry.lease_seconds.map_or("no lease told".into(), |seconds| format!("{seconds} s"));
    format!("{client}:{} {:?}, {lease}", entry.internal_port, entry.description)
}
