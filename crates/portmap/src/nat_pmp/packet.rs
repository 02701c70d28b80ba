//! The packets of NAT-PMP (RFC 6886 §3). All numbers are in network byte order.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use thiserror::Error;

use crate::mapping::Transport;

/// The version of the protocol (RFC 6886 §3).
pub const VERSION: u8 = 0;

/// What a router may send: the RFC knows 16 bytes, and its successor 1100 (RFC 6887 §7).
pub const LONGEST_RESPONSE: usize = 1100;

const OPCODE_EXTERNAL_ADDRESS: u8 = 0;
const OPCODE_MAP_UDP: u8 = 1;
const OPCODE_MAP_TCP: u8 = 2;
/// Set in the opcode of every response (RFC 6886 §3).
const RESPONSE_BIT: u8 = 0x80;

const ADDRESS_REQUEST_LENGTH: usize = 1 + 1; // version, opcode
const MAP_REQUEST_LENGTH: usize = 1 + 1 + 2 + 2 + 2 + 4; // version, opcode, reserved, two ports, lifetime

// Offsets in a response (RFC 6886 §3.2, §3.3).
const AT_VERSION: usize = 0;
const AT_OPCODE: usize = 1;
const AT_RESULT: usize = 2;
const AT_EPOCH: usize = 4;
const AT_EXTERNAL_ADDRESS: usize = 8;
const AT_INTERNAL_PORT: usize = 8;
const AT_EXTERNAL_PORT: usize = 10;
const AT_LIFETIME: usize = 12;

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// RFC 6886 §3.2.
    ExternalAddress,
    /// RFC 6886 §3.3; with a lifetime of 0 the deletion of §3.4. The internal port is never 0, which would delete
    /// every mapping of this host.
    Map { transport: Transport, internal_port: NonZeroU16, external_port: u16, lifetime_seconds: u32 },
}

/// What a gateway answers, or announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// The gateway speaks another version, the highest of which is told (RFC 6886 §3.5).
    VersionUnsupported { supported: u8 },
    /// The request came back marked as not understood, in the layout of a request (RFC 6886 §3.5).
    OpcodeUnsupported(Operation),
    /// RFC 6886 §3.2. `address` means something only after a success.
    ExternalAddress { result: ResultCode, epoch_seconds: u32, address: Ipv4Addr },
    /// RFC 6886 §3.3. `external_port` and `lifetime_seconds` mean something only after a success.
    Map {
        result: ResultCode,
        epoch_seconds: u32,
        transport: Transport,
        internal_port: u16,
        external_port: u16,
        lifetime_seconds: u32,
    },
}

/// What was asked, as an opcode tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    ExternalAddress,
    Map(Transport),
}

/// Result codes (RFC 6886 §3.5). They carry no lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultCode {
    Success,
    /// 1: the request was of another version.
    UnsupportedVersion,
    /// 2: mapping is switched off, or forbidden to this host or for this port. Lasts until somebody changes it.
    NotAuthorized,
    /// 3: the gateway itself has no usable external address. May pass.
    NetworkFailure,
    /// 4: no further mapping can be made now. May pass.
    OutOfResources,
    /// 5: the gateway does not know this request. Lasts.
    UnsupportedOpcode,
    /// "Undefined results codes MUST be treated as fatal errors of the request."
    Unknown(u16),
}

/// Why a datagram is no NAT-PMP response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    #[error("too short: {needed} bytes expected, got {got}")]
    TooShort { needed: usize, got: usize },
    #[error("too long: at most {LONGEST_RESPONSE} bytes expected, got {0}")]
    TooLong(usize),
    #[error("version {VERSION} expected, got {0}")]
    Version(u8),
    #[error("opcode {0:#04x} is no response to anything we ask")]
    Opcode(u8),
    /// The answer of a version 0 gateway to a PCP request from the same port.
    #[error("version {VERSION} called unsupported by a gateway of version {VERSION}")]
    ForAnotherVersion,
}

impl Request {
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::ExternalAddress => {
                let packet: [u8; ADDRESS_REQUEST_LENGTH] = [VERSION, OPCODE_EXTERNAL_ADDRESS];
                packet.to_vec()
            }
            Self::Map { transport, internal_port, external_port, lifetime_seconds } => {
                let mut packet = Vec::with_capacity(MAP_REQUEST_LENGTH);
                packet.extend([VERSION, map_opcode(transport), 0, 0]);
                packet.extend(internal_port.get().to_be_bytes());
                packet.extend(external_port.to_be_bytes());
                packet.extend(lifetime_seconds.to_be_bytes());
                packet
            }
        }
    }
}

impl Response {
    /// Reads a datagram. Bytes after the response's end are ignored.
    ///
    /// # Errors
    /// Anything that is no response of a NAT-PMP gateway to a [`Request`].
    pub fn parse(payload: &[u8]) -> Result<Self, ParseError> {
        if payload.len() > LONGEST_RESPONSE {
            return Err(ParseError::TooLong(payload.len()));
        }
        let [version] = array_at(payload, AT_VERSION)?;
        let [opcode] = array_at(payload, AT_OPCODE)?;
        let result = ResultCode::from(u16::from_be_bytes(array_at(payload, AT_RESULT)?));
        match (version, result) {
            (VERSION, ResultCode::UnsupportedVersion) => Err(ParseError::ForAnotherVersion),
            (VERSION, _) => Self::parse_current(operation(opcode)?, result, payload),
            (supported, ResultCode::UnsupportedVersion) if opcode & RESPONSE_BIT != 0 => {
                Ok(Self::VersionUnsupported { supported })
            }
            (other, _) => Err(ParseError::Version(other)),
        }
    }

    fn parse_current(asked: Operation, result: ResultCode, payload: &[u8]) -> Result<Self, ParseError> {
        if result == ResultCode::UnsupportedOpcode {
            return Ok(Self::OpcodeUnsupported(asked));
        }
        let epoch_seconds = u32::from_be_bytes(array_at(payload, AT_EPOCH)?);
        match asked {
            Operation::ExternalAddress => {
                let address = Ipv4Addr::from(array_at(payload, AT_EXTERNAL_ADDRESS)?);
                Ok(Self::ExternalAddress { result, epoch_seconds, address })
            }
            Operation::Map(transport) => Ok(Self::Map {
                result,
                epoch_seconds,
                transport,
                internal_port: u16::from_be_bytes(array_at(payload, AT_INTERNAL_PORT)?),
                external_port: u16::from_be_bytes(array_at(payload, AT_EXTERNAL_PORT)?),
                lifetime_seconds: u32::from_be_bytes(array_at(payload, AT_LIFETIME)?),
            }),
        }
    }
}

impl From<u16> for ResultCode {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::UnsupportedVersion,
            2 => Self::NotAuthorized,
            3 => Self::NetworkFailure,
            4 => Self::OutOfResources,
            5 => Self::UnsupportedOpcode,
            code => Self::Unknown(code),
        }
    }
}

fn map_opcode(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => OPCODE_MAP_UDP,
        Transport::Tcp => OPCODE_MAP_TCP,
    }
}

fn operation(opcode: u8) -> Result<Operation, ParseError> {
    const ADDRESS: u8 = RESPONSE_BIT | OPCODE_EXTERNAL_ADDRESS;
    const UDP: u8 = RESPONSE_BIT | OPCODE_MAP_UDP;
    const TCP: u8 = RESPONSE_BIT | OPCODE_MAP_TCP;
    match opcode {
        ADDRESS => Ok(Operation::ExternalAddress),
        UDP => Ok(Operation::Map(Transport::Udp)),
        TCP => Ok(Operation::Map(Transport::Tcp)),
        other => Err(ParseError::Opcode(other)),
    }
}

fn array_at<const LENGTH: usize>(payload: &[u8], at: usize) -> Result<[u8; LENGTH], ParseError> {
    let field = payload.get(at..).and_then(|rest| rest.first_chunk());
    field.copied().ok_or(ParseError::TooShort { needed: at + LENGTH, got: payload.len() })
}

#[cfg(test)]
mod tests;
