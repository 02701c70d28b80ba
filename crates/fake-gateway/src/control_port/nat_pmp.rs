//! A NAT-PMP gateway (RFC 6886).

use std::net::Ipv4Addr;
use std::time::Instant;

use portmap::mapping::Transport;

use super::fields::{Layout, falsify, read};
use super::{Answer, RESPONSE_BIT, Scripted, scripted};
use crate::builder::Protocol;
use crate::counters::Arrival;
use crate::state::State;
use crate::table::{Mapping, NoPort};

pub(super) const VERSION: u8 = 0;

const LAYOUT: Layout =
    Layout { epoch: 4, lifetime: 12, internal_port: 8, external_port: 10, nonce: usize::MAX };

const NOT_AUTHORIZED: u8 = 2;
const NETWORK_FAILURE: u8 = 3;
const OUT_OF_RESOURCES: u8 = 4;
const UNSUPPORTED_OPCODE: u8 = 5;

/// RFC 6886 §3.3.
struct Request {
    transport: Transport,
    internal_port: u16,
    external_port: u16,
    lifetime_seconds: u32,
}

pub(super) fn answer(
    state: &mut State,
    client: Ipv4Addr,
    payload: &[u8],
    now: Instant,
) -> Result<Answer, String> {
    match payload {
        [VERSION, 0] => Ok(answer_address(state, payload, now)),
        [VERSION, opcode @ (1 | 2), ..] if payload.len() == 12 => {
            let transport = if *opcode == 1 { Transport::Udp } else { Transport::Tcp };
            let request = Request {
                transport,
                internal_port: u16::from_be_bytes(read(payload, 4)),
                external_port: u16::from_be_bytes(read(payload, 6)),
                lifetime_seconds: u32::from_be_bytes(read(payload, 8)),
            };
            check(state, &request, read(payload, 2));
            Ok(answer_map(state, client, &request, payload, now))
        }
        [VERSION, 0..=2, ..] => Err(format!("NAT-PMP: {} bytes: {payload:02x?}", payload.len())),
        [VERSION, opcode, ..] if opcode & RESPONSE_BIT == 0 => {
            state.counters.unknown += 1;
            state.complain(format!("NAT-PMP: opcode {opcode}"));
            let mut echo = payload.to_vec();
            echo[1] |= RESPONSE_BIT;
            // RFC 6886 §3.5: the request, marked; there is always room for the result.
            echo.resize(echo.len().max(4), 0);
            echo[2..4].copy_from_slice(&u16::from(UNSUPPORTED_OPCODE).to_be_bytes());
            Ok((echo, Vec::new()))
        }
        _ => Err(format!("NAT-PMP: no request: {payload:02x?}")),
    }
}

/// What the RFC wants, though a gateway would not mind.
fn check(state: &mut State, request: &Request, reserved: [u8; 2]) {
    if reserved != [0, 0] {
        state.complain("NAT-PMP: reserved field is not 0");
    }
    if request.lifetime_seconds == 0 && request.external_port != 0 {
        state.complain("NAT-PMP: deletion with an external port (RFC 6886 §3.4)");
    }
    if request.internal_port == 0 && (request.lifetime_seconds, request.external_port) != (0, 0) {
        state.complain("NAT-PMP: mapping of internal port 0");
    }
}

fn answer_address(state: &mut State, payload: &[u8], now: Instant) -> Answer {
    let effects = state.meet(&Arrival::NatPmpAddress, now);
    let bytes = match scripted(state, &effects, payload, now) {
        Some(Scripted::Answer(bytes)) => bytes,
        Some(Scripted::Result(result)) => address_response(state, result, now),
        None => external_address(state, now),
    };
    (falsify(bytes, LAYOUT, &effects), effects)
}

/// RFC 6886 §3.2, also as an announcement.
pub(super) fn external_address(state: &State, now: Instant) -> Vec<u8> {
    let result = if state.settings.external_address.is_some() { 0 } else { NETWORK_FAILURE };
    address_response(state, result, now)
}

fn address_response(state: &State, result: u8, now: Instant) -> Vec<u8> {
    let address = state.settings.external_address.filter(|_| result == 0).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let epoch = state.epoch(now).to_be_bytes();
    [&[VERSION, RESPONSE_BIT, 0, result], &epoch[..], &address.octets()].concat()
}

fn answer_map(
    state: &mut State,
    client: Ipv4Addr,
    request: &Request,
    payload: &[u8],
    now: Instant,
) -> Answer {
    let deletes = request.lifetime_seconds == 0;
    let arrival = if deletes { Arrival::NatPmpUnmap } else { Arrival::NatPmpMap };
    let effects = state.meet(&arrival, now);
    let result = match scripted(state, &effects, payload, now) {
        Some(Scripted::Answer(bytes)) => return (bytes, effects),
        Some(Scripted::Result(result)) => Err(result),
        None if deletes => {
            delete(state, client, request);
            Ok((0, 0))
        }
        None => map(state, client, request, now),
    };
    let (result, external_port, lifetime) = match result {
        Ok((external_port, lifetime)) => (0, external_port, lifetime),
        Err(result) => (result, request.external_port, 0),
    };
    let bytes = [
        &[VERSION, payload[1] | RESPONSE_BIT, 0, result],
        &state.epoch(now).to_be_bytes()[..],
        &request.internal_port.to_be_bytes(),
        &external_port.to_be_bytes(),
        &lifetime.to_be_bytes(),
    ]
    .concat();
    (falsify(bytes, LAYOUT, &effects), effects)
}

/// Only what NAT-PMP made, as in miniupnpd; port 0 means all of it (RFC 6886 §3.4).
fn delete(state: &mut State, client: Ipv4Addr, request: &Request) {
    let Request { transport, internal_port, .. } = *request;
    if internal_port == 0 {
        return state.table.remove_made_by(Protocol::NatPmp, client, transport);
    }
    let held = state.table.of_client(client, transport, internal_port);
    let port = held.map(|entry| &entry.mapping).filter(|mapping| mapping.made_by == Protocol::NatPmp);
    if let Some(port) = port.map(|mapping| mapping.external_port) {
        state.table.remove(transport, port);
    }
}

fn map(state: &mut State, client: Ipv4Addr, request: &Request, now: Instant) -> Result<(u16, u32), u8> {
    let Request { transport, internal_port, external_port, lifetime_seconds } = *request;
    if state.settings.external_address.is_none() {
        return Err(NETWORK_FAILURE);
    }
    if !state.settings.allowed_internal.contains(&internal_port) {
        return Err(NOT_AUTHORIZED);
    }
    let held = state.table.of_client(client, transport, internal_port);
    let external_port = match held.map(|entry| entry.mapping.external_port) {
        Some(port) => port,
        None if state.table.len() >= state.settings.mappings_maximum => return Err(OUT_OF_RESOURCES),
        None => {
            let wanted = if external_port == 0 { internal_port } else { external_port };
            state.table.free_port(transport, wanted, &state.settings.allowed).map_err(|none| match none {
                NoPort::NoneAllowed => NOT_AUTHORIZED,
                NoPort::AllTaken => OUT_OF_RESOURCES,
            })?
        }
    };
    let limits = state.settings.lifetimes.clone().unwrap_or(1..=u32::MAX);
    let lease_seconds = lifetime_seconds.clamp(*limits.start(), *limits.end());
    let name = if transport == Transport::Udp { "udp" } else { "tcp" };
    let description = format!("NAT-PMP {external_port} {name}");
    let made_by = Protocol::NatPmp;
    let mapping =
        Mapping { transport, external_port, client, internal_port, description, lease_seconds, made_by };
    state.table.insert(mapping, None, now);
    Ok((external_port, lease_seconds))
}
