//! What NAT-PMP makes of the common client's questions.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::packet::{Operation, Request, Response, ResultCode};
use crate::client::{Code, Refusal};
use crate::control_port::{
    self, Assignment, FIRST_WAIT, LONGEST_WAIT, Mapping, PROBE_ATTEMPTS, Protocol, RELEASE_ATTEMPTS,
    REQUEST_ATTEMPTS, Reply, Settings,
};
use crate::epoch::Rule;
use crate::retransmission::Schedule;

/// Asks one gateway for one mapping by NAT-PMP.
pub type Client = control_port::Client<NatPmp>;

/// RFC 6886 §3.1: 250 ms, doubled after each attempt.
const LADDER: Schedule =
    Schedule { first: FIRST_WAIT, ceiling: LONGEST_WAIT, attempts: REQUEST_ATTEMPTS, jitter_permille: 0 };

/// NAT-PMP as the common client's protocol. Its packets hold nothing that the client does not know.
#[derive(Debug)]
pub struct NatPmp;

impl Client {
    /// `gateway` is the default gateway (RFC 6886 §3). The address that is mapped is the one that the owner's socket
    /// sends from. `seed` spreads what has to be spread.
    #[must_use]
    pub fn new(gateway: Ipv4Addr, seed: u64) -> Self {
        Self::with_protocol(NatPmp, IpAddr::V4(gateway), seed)
    }
}

impl Protocol for NatPmp {
    const ADDRESS_COMES_WITH_PROBE: bool = true;
    const TELLS_OF_CHANGES: bool = false;
    const ANNOUNCES_ONLY_LOSS: bool = false;

    fn settings() -> Settings {
        Settings {
            epoch: Rule::NatPmp,
            probe: Schedule { attempts: PROBE_ATTEMPTS, ..LADDER },
            request: LADDER,
            renewal: LADDER,
            release: Schedule { attempts: RELEASE_ATTEMPTS, ..LADDER },
        }
    }

    /// RFC 6886 §3.2: "the client MUST check the source IP address". It says nothing of the port.
    fn is_server(&self, from: SocketAddr, gateway: IpAddr) -> bool {
        from.ip().to_canonical() == gateway
    }

    fn probe(&self) -> Vec<u8> {
        Request::ExternalAddress.encode()
    }

    fn map(&self, mapping: &Mapping) -> Vec<u8> {
        request(mapping, mapping.external_port.get(), mapping.lifetime_seconds())
    }

    /// RFC 6886 §3.4: "The Suggested External Port MUST be set to zero by the client on sending".
    fn delete(&self, mapping: &Mapping) -> Vec<u8> {
        request(mapping, 0, 0)
    }

    fn read(&self, payload: &[u8]) -> Option<Reply> {
        match Response::parse(payload) {
            Ok(response) => Some(reply(response)),
            Err(error) => {
                tracing::debug!(%error, "not NAT-PMP");
                None
            }
        }
    }
}

fn request(mapping: &Mapping, external_port: u16, lifetime_seconds: u32) -> Vec<u8> {
    let (transport, internal_port) = (mapping.request.transport, mapping.request.internal_port);
    Request::Map { transport, internal_port, external_port, lifetime_seconds }.encode()
}

fn reply(response: Response) -> Reply {
    match response {
        Response::VersionUnsupported { supported } => Reply::VersionUnsupported { supported },
        Response::OpcodeUnsupported(Operation::ExternalAddress) => {
            Reply::Probe { epoch_seconds: None, answer: Err(OPCODE_UNSUPPORTED) }
        }
        Response::OpcodeUnsupported(Operation::Map(transport)) => Reply::Mapping {
            epoch_seconds: None,
            transport,
            internal_port: None,
            answer: Err(OPCODE_UNSUPPORTED),
        },
        Response::ExternalAddress { result, epoch_seconds, address } => Reply::Probe {
            epoch_seconds: Some(epoch_seconds),
            answer: success(result).map(|()| Some(address.into()).filter(|_| !address.is_unspecified())),
        },
        Response::Map {
            result,
            epoch_seconds,
            transport,
            internal_port,
            external_port,
            lifetime_seconds,
        } => {
            let assignment = Assignment { external_port, external_address: None, lifetime_seconds };
            Reply::Mapping {
                epoch_seconds: Some(epoch_seconds),
                transport,
                internal_port: Some(internal_port),
                answer: success(result).map(|()| assignment),
            }
        }
    }
}

const OPCODE_UNSUPPORTED: Refusal = Refusal::Unsupported { code: Code::NatPmp(5) };

/// RFC 6886 §3.5.
fn success(result: ResultCode) -> Result<(), Refusal> {
    Err(match result {
        ResultCode::Success => return Ok(()),
        ResultCode::UnsupportedVersion => Refusal::Unsupported { code: Code::NatPmp(1) },
        ResultCode::NotAuthorized => Refusal::NotAuthorized,
        ResultCode::NetworkFailure => Refusal::NetworkFailure,
        ResultCode::OutOfResources => Refusal::NoResources,
        ResultCode::UnsupportedOpcode => OPCODE_UNSUPPORTED,
        ResultCode::Unknown(code) => Refusal::Other { code: Code::NatPmp(code) },
    })
}

#[cfg(test)]
mod tests;
