//! The packets of PCP (RFC 6887 §7, §11, §14.1). All numbers are in network byte order, and all addresses take
//! 16 bytes, IPv4 as `::ffff:a.b.c.d` (§5).

mod result_code;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use thiserror::Error;

pub use self::result_code::ResultCode;
use crate::mapping::Transport;

/// The version of the protocol (RFC 6887 §7.1).
pub const VERSION: u8 = 2;

/// RFC 6887 §7: "a maximum UDP payload length of 1100 octets".
pub const LONGEST_PACKET: usize = 1100;

/// RFC 6887 §7.1, §7.2: version, opcode, reserved and result, lifetime, address or epoch and reserved.
pub const HEADER_LENGTH: usize = 1 + 1 + 2 + 4 + 16;
/// RFC 6887 §11.1: nonce, protocol, reserved, two ports, address.
pub const MAP_LENGTH: usize = 12 + 1 + 3 + 2 + 2 + 16;

const OPCODE_ANNOUNCE: u8 = 0;
const OPCODE_MAP: u8 = 1;
/// Set in the opcode of every response (RFC 6887 §7.1, "R").
const RESPONSE_BIT: u8 = 0x80;

/// IANA protocol numbers (RFC 6887 §11.1).
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;

/// Option code 2, reserved, length 0 (RFC 6887 §13.2).
const PREFER_FAILURE: [u8; 4] = [2, 0, 0, 0];

// Offsets in a response (RFC 6887 §7.2).
const AT_VERSION: usize = 0;
const AT_OPCODE: usize = 1;
const AT_RESULT: usize = 3;
const AT_LIFETIME: usize = 4;
const AT_EPOCH: usize = 8;
// Offsets in a MAP response, after the header (RFC 6887 §11.1).
const AT_NONCE: usize = HEADER_LENGTH;
const AT_PROTOCOL: usize = HEADER_LENGTH + 12;
const AT_INTERNAL_PORT: usize = HEADER_LENGTH + 16;
const AT_EXTERNAL_PORT: usize = HEADER_LENGTH + 18;
const AT_EXTERNAL_ADDRESS: usize = HEADER_LENGTH + 20;

/// NAT-PMP's version and its 16-bit result (RFC 6886 §3.5), as an answer to a PCP request.
const NAT_PMP_VERSION: u8 = 0;
const AT_NAT_PMP_RESULT: usize = 2;
const RESULT_UNSUPPORTED_VERSION: u8 = 1;

/// The 96 bits that prove to the gateway whose mapping it is (RFC 6887 §11.2): random, one for each mapping, and the
/// same for its renewal and deletion. Not shown, because whoever knows it can delete the mapping.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 12]);

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The address that the request is sent from, as this host knows it.
    pub client: IpAddr,
    pub operation: RequestOperation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOperation {
    /// RFC 6887 §14.1.
    Announce,
    Map(Map),
}

/// RFC 6887 §11.1; with a lifetime of 0 the deletion of §15.1, whose external port and address are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    pub nonce: Nonce,
    pub transport: Transport,
    pub internal_port: NonZeroU16,
    pub external_port: u16,
    /// `None`: any, of the client's family.
    pub external_address: Option<IpAddr>,
    /// RFC 6887 §13.2: no other port.
    pub prefer_failure: bool,
    pub lifetime_seconds: u32,
}

/// What a gateway answers, or announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The gateway speaks another version: 0 is NAT-PMP (RFC 6887 §9).
    VersionUnsupported { supported: u8 },
    Current {
        result: ResultCode,
        /// Of the mapping after a success, of the error after a failure.
        lifetime_seconds: u32,
        epoch_seconds: u32,
        operation: ResponseOperation,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseOperation {
    Announce,
    /// After a failure the fields are those of the request.
    Map {
        nonce: Nonce,
        transport: Transport,
        internal_port: u16,
        external_port: u16,
        external_address: IpAddr,
    },
}

/// Why a datagram is no PCP response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    #[error("too short: {needed} bytes expected, got {got}")]
    TooShort { needed: usize, got: usize },
    #[error("a multiple of 4 up to {LONGEST_PACKET} bytes expected, got {0}")]
    Length(usize),
    #[error("version {VERSION} expected, got {0}")]
    Version(u8),
    #[error("opcode {0:#04x} is no response to anything we ask")]
    Opcode(u8),
    #[error("protocol {PROTOCOL_UDP} or {PROTOCOL_TCP} expected, got {0}")]
    Protocol(u8),
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

impl Request {
    pub fn encode(&self) -> Vec<u8> {
        let (opcode, lifetime_seconds) = match &self.operation {
            RequestOperation::Announce => (OPCODE_ANNOUNCE, 0),
            RequestOperation::Map(map) => (OPCODE_MAP, map.lifetime_seconds),
        };
        let mut packet = Vec::with_capacity(HEADER_LENGTH + MAP_LENGTH + PREFER_FAILURE.len());
        packet.extend([VERSION, opcode, 0, 0]);
        packet.extend(lifetime_seconds.to_be_bytes());
        packet.extend(octets(self.client));
        if let RequestOperation::Map(map) = &self.operation {
            map.encode(self.client, &mut packet);
        }
        packet
    }
}

impl Map {
    fn encode(&self, client: IpAddr, packet: &mut Vec<u8>) {
        packet.extend(self.nonce.0);
        packet.extend([protocol(self.transport), 0, 0, 0]);
        packet.extend(self.internal_port.get().to_be_bytes());
        packet.extend(self.external_port.to_be_bytes());
        packet.extend(octets(self.external_address.unwrap_or_else(|| unspecified_like(client))));
        if self.prefer_failure {
            packet.extend(PREFER_FAILURE);
        }
    }
}

impl Response {
    /// Reads a datagram by the rules of RFC 6887 §8.3. Options are not read.
    ///
    /// # Errors
    /// Anything that is no response of a PCP server, or of a NAT-PMP gateway, to a [`Request`].
    pub fn parse(payload: &[u8]) -> Result<Self, ParseError> {
        let [version] = array_at(payload, AT_VERSION)?;
        let [opcode] = array_at(payload, AT_OPCODE)?;
        let [result] = array_at(payload, AT_RESULT)?;
        match version {
            VERSION => Self::parse_current(opcode, result, payload),
            NAT_PMP_VERSION => parse_nat_pmp(payload),
            supported if opcode & RESPONSE_BIT != 0 && result == RESULT_UNSUPPORTED_VERSION => {
                Ok(Self::VersionUnsupported { supported })
            }
            other => Err(ParseError::Version(other)),
        }
    }

    fn parse_current(opcode: u8, result: u8, payload: &[u8]) -> Result<Self, ParseError> {
        if payload.len() > LONGEST_PACKET || !payload.len().is_multiple_of(4) {
            return Err(ParseError::Length(payload.len()));
        }
        if payload.len() < HEADER_LENGTH {
            return Err(ParseError::TooShort { needed: HEADER_LENGTH, got: payload.len() });
        }
        const ANNOUNCE: u8 = RESPONSE_BIT | OPCODE_ANNOUNCE;
        const MAP: u8 = RESPONSE_BIT | OPCODE_MAP;
        Ok(Self::Current {
            result: ResultCode::from(result),
            lifetime_seconds: u32::from_be_bytes(array_at(payload, AT_LIFETIME)?),
            epoch_seconds: u32::from_be_bytes(array_at(payload, AT_EPOCH)?),
            operation: match opcode {
                ANNOUNCE => ResponseOperation::Announce,
                MAP => parse_map(payload)?,
                other => return Err(ParseError::Opcode(other)),
            },
        })
    }
}

fn parse_map(payload: &[u8]) -> Result<ResponseOperation, ParseError> {
    let [number] = array_at(payload, AT_PROTOCOL)?;
    Ok(ResponseOperation::Map {
        nonce: Nonce(array_at(payload, AT_NONCE)?),
        transport: match number {
            PROTOCOL_UDP => Transport::Udp,
            PROTOCOL_TCP => Transport::Tcp,
            other => return Err(ParseError::Protocol(other)),
        },
        internal_port: u16::from_be_bytes(array_at(payload, AT_INTERNAL_PORT)?),
        external_port: u16::from_be_bytes(array_at(payload, AT_EXTERNAL_PORT)?),
        external_address: Ipv6Addr::from(array_at::<16>(payload, AT_EXTERNAL_ADDRESS)?).to_canonical(),
    })
}

/// RFC 6887 §9: "that means this is a NAT-PMP server". Its answer has 8 bytes, and its opcode is 0 by RFC 6886 §3.5
/// but that of the request with the response bit in miniupnpd 2.3.1.
fn parse_nat_pmp(payload: &[u8]) -> Result<Response, ParseError> {
    let result = u16::from_be_bytes(array_at(payload, AT_NAT_PMP_RESULT)?);
    if result != u16::from(RESULT_UNSUPPORTED_VERSION) {
        return Err(ParseError::Version(NAT_PMP_VERSION));
    }
    Ok(Response::VersionUnsupported { supported: NAT_PMP_VERSION })
}

fn protocol(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => PROTOCOL_UDP,
        Transport::Tcp => PROTOCOL_TCP,
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// RFC 6887 §11.1: no suggestion is all zeros of the family, which for IPv4 is `::ffff:0:0`.
fn unspecified_like(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn array_at<const LENGTH: usize>(payload: &[u8], at: usize) -> Result<[u8; LENGTH], ParseError> {
    let field = payload.get(at..).and_then(|rest| rest.first_chunk());
    field.copied().ok_or(ParseError::TooShort { needed: at + LENGTH, got: payload.len() })
}

#[cfg(test)]
mod tests;
