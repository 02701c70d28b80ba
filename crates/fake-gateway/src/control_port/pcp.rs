//! A PCP server (RFC 6887) for IPv4: MAP and ANNOUNCE.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Instant;

use portmap::mapping::Transport;

use super::fields::{Layout, falsify, read};
use super::{Answer, RESPONSE_BIT, Scripted, scripted};
use crate::builder::Protocol;
use crate::counters::Arrival;
use crate::state::State;
use crate::table::{Mapping, NoPort};

pub(super) const VERSION: u8 = 2;

const HEADER_BYTES: usize = 24;
const MAP_BYTES: usize = 36;
const BYTES_MAXIMUM: usize = 1100;
const OPCODE_ANNOUNCE: u8 = 0;
const OPCODE_MAP: u8 = 1;
const OPTION_PREFER_FAILURE: u8 = 2;
/// RFC 6887 §7.3: options below must be understood.
const FIRST_OPTIONAL_OPTION: u8 = 128;

const LAYOUT: Layout = Layout { epoch: 8, lifetime: 4, internal_port: 40, external_port: 42, nonce: 24 };

/// RFC 6887 §7.4's recommendations.
pub(super) const LONG_ERROR_SECONDS: u32 = 30 * 60;
const SHORT_ERROR_SECONDS: u32 = 30;

/// As miniupnpd grants by default.
const LIFETIMES: RangeInclusive<u32> = 120..=86_400;

const NOT_AUTHORIZED: u8 = 2;
const MALFORMED_REQUEST: u8 = 3;
const UNSUPPORTED_OPCODE: u8 = 4;
const UNSUPPORTED_OPTION: u8 = 5;
const MALFORMED_OPTION: u8 = 6;
const NETWORK_FAILURE: u8 = 7;
const NO_RESOURCES: u8 = 8;
const UNSUPPORTED_PROTOCOL: u8 = 9;
const USER_EXCEEDED_QUOTA: u8 = 10;
const CANNOT_PROVIDE_EXTERNAL: u8 = 11;
const ADDRESS_MISMATCH: u8 = 12;

/// RFC 6887 §11.1.
#[derive(Debug)]
struct Request {
    nonce: [u8; 12],
    transport: Transport,
    internal_port: u16,
    external_port: u16,
    external_address: Ipv4Addr,
    prefer_failure: bool,
    lifetime_seconds: u32,
}

/// What was granted, or deleted.
struct Granted {
    external_port: u16,
    external_address: Ipv4Addr,
    lifetime_seconds: u32,
}

pub(super) fn answer(
    state: &mut State,
    client: Ipv4Addr,
    payload: &[u8],
    now: Instant,
) -> Result<Answer, String> {
    // RFC 6887 §8.2: such are dropped.
    if payload.len() < 2 || payload[1] & RESPONSE_BIT != 0 {
        return Err(format!("PCP: no request: {payload:02x?}"));
    }
    let well_formed =
        (HEADER_BYTES..=BYTES_MAXIMUM).contains(&payload.len()) && payload.len().is_multiple_of(4);
    if !well_formed {
        return Ok(reject(state, payload, MALFORMED_REQUEST, "length", now));
    }
    let lifetime_seconds = u32::from_be_bytes(read(payload, 4));
    match payload[1] {
        OPCODE_ANNOUNCE => Ok(answer_announce(state, client, payload, now)),
        OPCODE_MAP if payload.len() < HEADER_BYTES + MAP_BYTES => {
            Ok(reject(state, payload, MALFORMED_REQUEST, "length of MAP", now))
        }
        OPCODE_MAP => Ok(answer_map(state, client, payload, lifetime_seconds, now)),
        _ => Ok(reject(state, payload, UNSUPPORTED_OPCODE, "opcode", now)),
    }
}

/// RFC 6887 §14.1.3.
pub(super) fn announcement(state: &State, now: Instant) -> Vec<u8> {
    response(&[VERSION, OPCODE_ANNOUNCE], 0, 0, state.epoch(now))
}

fn answer_announce(state: &mut State, client: Ipv4Addr, payload: &[u8], now: Instant) -> Answer {
    let effects = state.meet(&Arrival::PcpAnnounce, now);
    let result = match scripted(state, &effects, payload, now) {
        Some(Scripted::Answer(bytes)) => return (bytes, effects),
        Some(Scripted::Result(result)) => result,
        None => match header_fault(client, payload) {
            Some((result, complaint)) => {
                state.complain(format!("PCP: {complaint}"));
                result
            }
            None => 0,
        },
    };
    let bytes = response(&payload[..2], result, error_lifetime(result), state.epoch(now));
    (falsify(bytes, LAYOUT, &effects), effects)
}

fn answer_map(state: &mut State, client: Ipv4Addr, payload: &[u8], lifetime: u32, now: Instant) -> Answer {
    let arrival = if lifetime == 0 { Arrival::PcpUnmap } else { Arrival::PcpMap };
    let effects = state.meet(&arrival, now);
    let result = match scripted(state, &effects, payload, now) {
        Some(Scripted::Answer(bytes)) => return (bytes, effects),
        Some(Scripted::Result(result)) => Err(result),
        None => match read_map(client, payload, lifetime) {
            Ok(request) if lifetime == 0 => {
                if request.external_port != 0 || !request.external_address.is_unspecified() {
                    state.complain("PCP: deletion with an external port or address (RFC 6887 §15.1)");
                }
                delete(state, client, &request)
            }
            Ok(request) => map(state, client, &request, now),
            Err((result, complaint)) => {
                state.complain(format!("PCP: {complaint}"));
                Err(result)
            }
        },
    };
    let bytes = match result {
        Ok(granted) => granted_response(payload, &granted, state.epoch(now)),
        Err(result) => echo(payload, result, state.epoch(now)),
    };
    (falsify(bytes, LAYOUT, &effects), effects)
}

/// Why the common header is not acceptable.
fn header_fault(client: Ipv4Addr, payload: &[u8]) -> Option<(u8, String)> {
    let told = Ipv6Addr::from(read::<16>(payload, 8));
    if payload[2..4] != [0, 0] {
        return Some((MALFORMED_REQUEST, "reserved field of the header is not 0".into()));
    }
    let expected = client.to_ipv6_mapped();
    (told != expected).then(|| (ADDRESS_MISMATCH, format!("client address {told}, source {expected}")))
}

fn read_map(client: Ipv4Addr, payload: &[u8], lifetime_seconds: u32) -> Result<Request, (u8, String)> {
    if let Some(fault) = header_fault(client, payload) {
        return Err(fault);
    }
    let transport = match payload[36] {
        17 => Transport::Udp,
        6 => Transport::Tcp,
        other => return Err((UNSUPPORTED_PROTOCOL, format!("protocol {other}"))),
    };
    if payload[37..40] != [0, 0, 0] {
        return Err((MALFORMED_REQUEST, "reserved field of MAP is not 0".into()));
    }
    let internal_port = u16::from_be_bytes(read(payload, 40));
    if internal_port == 0 {
        return Err((MALFORMED_REQUEST, "internal port 0".into()));
    }
    let external_address = Ipv6Addr::from(read::<16>(payload, 44)).to_ipv4_mapped();
    let external_address =
        external_address.ok_or((MALFORMED_REQUEST, "suggested address is not IPv4-mapped".to_owned()))?;
    Ok(Request {
        nonce: read(payload, 24),
        transport,
        internal_port,
        external_port: u16::from_be_bytes(read(payload, 42)),
        external_address,
        prefer_failure: options(&payload[HEADER_BYTES + MAP_BYTES..])?,
        lifetime_seconds,
    })
}

/// Whether PREFER_FAILURE is among them.
fn options(mut rest: &[u8]) -> Result<bool, (u8, String)> {
    let mut prefer_failure = false;
    while let [code, reserved, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).next_multiple_of(4);
        if *reserved != 0 || length > tail.len() {
            return Err((MALFORMED_OPTION, format!("option {code}")));
        }
        match *code {
            OPTION_PREFER_FAILURE if length == 0 && !prefer_failure => prefer_failure = true,
            OPTION_PREFER_FAILURE => return Err((MALFORMED_OPTION, "PREFER_FAILURE".into())),
            ..FIRST_OPTIONAL_OPTION => return Err((UNSUPPORTED_OPTION, format!("option {code}"))),
            _ => {}
        }
        rest = &tail[length..];
    }
    Ok(prefer_failure)
}

fn map(state: &mut State, client: Ipv4Addr, request: &Request, now: Instant) -> Result<Granted, u8> {
    let external_address = state.settings.external_address.ok_or(NETWORK_FAILURE)?;
    if !state.settings.allowed_internal.contains(&request.internal_port) {
        return Err(NOT_AUTHORIZED);
    }
    let external_port = external_port(state, client, request)?;
    let suggested = request.external_address;
    let other_address = !suggested.is_unspecified() && suggested != external_address;
    let other_port = request.external_port != 0 && request.external_port != external_port;
    if request.prefer_failure && (other_address || other_port) {
        return Err(CANNOT_PROVIDE_EXTERNAL);
    }
    let limits = state.settings.lifetimes.clone().unwrap_or(LIFETIMES);
    let lifetime_seconds = request.lifetime_seconds.clamp(*limits.start(), *limits.end());
    let mapping = Mapping {
        transport: request.transport,
        external_port,
        client,
        internal_port: request.internal_port,
        description: "PCP MAP".into(),
        lease_seconds: lifetime_seconds,
        made_by: Protocol::Pcp,
    };
    state.table.insert(mapping, Some(request.nonce), now);
    Ok(Granted { external_port, external_address, lifetime_seconds })
}

/// The one that the client has already (RFC 6887 §11.3), else the one that it would like, or the next.
fn external_port(state: &State, client: Ipv4Addr, request: &Request) -> Result<u16, u8> {
    let Request { transport, internal_port, external_port, .. } = *request;
    if let Some(held) = state.table.of_client(client, transport, internal_port) {
        let ours = held.nonce.is_none_or(|nonce| nonce == request.nonce);
        return if ours { Ok(held.mapping.external_port) } else { Err(NOT_AUTHORIZED) };
    }
    if state.table.len() >= state.settings.mappings_maximum {
        return Err(NO_RESOURCES);
    }
    let wanted = if external_port == 0 { internal_port } else { external_port };
    state.table.free_port(transport, wanted, &state.settings.allowed).map_err(|none| match none {
        NoPort::NoneAllowed => NOT_AUTHORIZED,
        NoPort::AllTaken => NO_RESOURCES,
    })
}

/// What another protocol made, or another nonce, stays (RFC 6887 §15.1).
fn delete(state: &mut State, client: Ipv4Addr, request: &Request) -> Result<Granted, u8> {
    let Request { transport, internal_port, .. } = *request;
    let held = state.table.of_client(client, transport, internal_port);
    let nothing = Granted { external_port: 0, external_address: Ipv4Addr::UNSPECIFIED, lifetime_seconds: 0 };
    let Some(held) = held else { return Ok(nothing) };
    if held.nonce != Some(request.nonce) {
        return Err(NOT_AUTHORIZED);
    }
    let external_port = held.mapping.external_port;
    state.table.remove(transport, external_port);
    Ok(Granted { external_port, ..nothing })
}

fn reject(state: &mut State, payload: &[u8], result: u8, complaint: &str, now: Instant) -> Answer {
    state.counters.unknown += 1;
    state.complain(format!("PCP: {complaint}: {payload:02x?}"));
    (echo(payload, result, state.epoch(now)), Vec::new())
}

/// RFC 6887 §8.2: an error copies the request, as much of it as may be.
fn echo(payload: &[u8], result: u8, epoch: u32) -> Vec<u8> {
    let mut bytes = response(&payload[..2], result, error_lifetime(result), epoch);
    bytes.extend(payload.iter().skip(HEADER_BYTES).take(BYTES_MAXIMUM - HEADER_BYTES));
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Options that were processed are in the answer, too (RFC 6887 §7.3).
fn granted_response(payload: &[u8], granted: &Granted, epoch: u32) -> Vec<u8> {
    let mut bytes = response(&payload[..2], 0, granted.lifetime_seconds, epoch);
    bytes.extend(&payload[HEADER_BYTES..LAYOUT.external_port]);
    bytes.extend(granted.external_port.to_be_bytes());
    bytes.extend(granted.external_address.to_ipv6_mapped().octets());
    bytes.extend(&payload[HEADER_BYTES + MAP_BYTES..]);
    bytes
}

fn response(version_and_opcode: &[u8], result: u8, lifetime: u32, epoch: u32) -> Vec<u8> {
    let [version, opcode] = [version_and_opcode[0], version_and_opcode[1] | RESPONSE_BIT];
    [&[version, opcode, 0, result], &lifetime.to_be_bytes()[..], &epoch.to_be_bytes(), &[0; 12]].concat()
}

/// How long an error is expected to last.
fn error_lifetime(result: u8) -> u32 {
    match result {
        0 => 0,
        NETWORK_FAILURE | NO_RESOURCES | USER_EXCEEDED_QUOTA => SHORT_ERROR_SECONDS,
        _ => LONG_ERROR_SECONDS,
    }
}
