//! Port 5351, which NAT-PMP and PCP share: the first byte tells which is spoken.

mod fields;
mod nat_pmp;
mod pcp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use portmap::control_port::{ANNOUNCEMENT_PORT, SERVER_PORT};

use crate::builder::Protocol;
use crate::effect::Effect;
use crate::server::Outgoing;
use crate::state::State;

/// All hosts of the link (RFC 6886 §3.2.1, RFC 6887 §14.1.3).
pub(crate) const ANNOUNCEMENT_GROUP: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 1)), ANNOUNCEMENT_PORT);

/// In every response (RFC 6886 §3, RFC 6887 §7.1).
const RESPONSE_BIT: u8 = 0x80;
const UNSUPPORTED_VERSION: u8 = 1;

/// An answer, and what is to happen to it.
type Answer = (Vec<u8>, Vec<Effect>);

pub(crate) fn answer(state: &mut State, from: SocketAddr, payload: &[u8], now: Instant) -> Vec<Outgoing> {
    let IpAddr::V4(client) = from.ip() else { return Vec::new() };
    let answer = match payload.first() {
        Some(&nat_pmp::VERSION) if state.speaks(Protocol::NatPmp) => {
            nat_pmp::answer(state, client, payload, now)
        }
        Some(&pcp::VERSION) if state.speaks(Protocol::Pcp) => pcp::answer(state, client, payload, now),
        Some(_) => other_version(state, payload, now),
        None => Err("empty datagram".into()),
    };
    match answer {
        Ok((bytes, effects)) => Outgoing::after(&effects, SERVER_PORT, from, bytes),
        Err(complaint) => {
            state.counters.unknown += 1;
            state.complain(complaint);
            Vec::new()
        }
    }
}

/// What is told to everybody after a restart.
pub(crate) fn announcements(state: &State, now: Instant) -> Vec<Vec<u8>> {
    let nat_pmp = state.speaks(Protocol::NatPmp).then(|| nat_pmp::external_address(state, now));
    let pcp = state.speaks(Protocol::Pcp).then(|| pcp::announcement(state, now));
    nat_pmp.into_iter().chain(pcp).collect()
}

/// RFC 6887 §9: a server names the highest version that it speaks, in the format of that version.
fn other_version(state: &mut State, payload: &[u8], now: Instant) -> Result<Answer, String> {
    state.counters.other_version += 1;
    let effects = state.turn(now).into_iter().collect();
    let spoken = if state.speaks(Protocol::Pcp) { pcp::VERSION } else { nat_pmp::VERSION };
    Ok((version_unsupported(state, spoken, payload, now), effects))
}

fn version_unsupported(state: &State, spoken: u8, payload: &[u8], now: Instant) -> Vec<u8> {
    let opcode = payload.get(1).copied().unwrap_or_default() | RESPONSE_BIT;
    let epoch = state.epoch(now).to_be_bytes();
    if spoken == nat_pmp::VERSION {
        return [&[spoken, opcode, 0, UNSUPPORTED_VERSION], &epoch[..]].concat();
    }
    let lifetime = pcp::LONG_ERROR_SECONDS.to_be_bytes();
    [&[spoken, opcode, 0, UNSUPPORTED_VERSION], &lifetime[..], &epoch, &[0; 12]].concat()
}

/// A refusal that was scripted: its result code, or its whole answer.
enum Scripted {
    Result(u8),
    Answer(Vec<u8>),
}

fn scripted(state: &State, effects: &[Effect], payload: &[u8], now: Instant) -> Option<Scripted> {
    effects.iter().find_map(|effect| match effect {
        Effect::ResultCode(code) => Some(Scripted::Result(*code)),
        Effect::SpeakOnly { version } => {
            Some(Scripted::Answer(version_unsupported(state, *version, payload, now)))
        }
        Effect::Silence => Some(Scripted::Answer(Vec::new())),
        _ => None,
    })
}
