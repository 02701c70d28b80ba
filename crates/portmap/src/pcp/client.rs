//! What PCP makes of the common client's questions.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::packet::{Map, Nonce, Request, RequestOperation, Response, ResponseOperation, ResultCode};
use crate::address::{Reach, reach};
use crate::client::{Code, Refusal};
use crate::control_port::{
    self, Assignment, FIRST_WAIT, Mapping, PROBE_ATTEMPTS, Protocol, RELEASE_ATTEMPTS, REQUEST_ATTEMPTS,
    Reply, SERVER_PORT, Settings,
};
use crate::epoch::Rule;
use crate::retransmission::Schedule;

/// Asks one gateway for one mapping by PCP.
///
/// PCP has no question for the external address: [`Event::Available`](crate::client::Event::Available) tells none
/// before the first grant.
pub type Client = control_port::Client<Pcp>;

/// RFC 6887 §8.1.1's RAND and MRT, from NAT-PMP's first wait on.
const LADDER: Schedule = Schedule {
    first: FIRST_WAIT,
    ceiling: Duration::from_secs(1024),
    attempts: REQUEST_ATTEMPTS,
    jitter_permille: 100,
};
/// Less 10% still more than the 4 s of RFC 6887 §11.2.1.
const FIRST_RENEWAL_WAIT: Duration = Duration::from_millis(4500);
/// 140 s, about as long as [`REQUEST_ATTEMPTS`] take from 250 ms on.
const RENEWAL_ATTEMPTS: u32 = 5;

/// A server grants no less than its own minimum, usually 120 s (RFC 6887 §15).
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// PCP as the common client's protocol.
#[derive(Debug)]
pub struct Pcp {
    internal: IpAddr,
    nonce: Nonce,
    knows_prefer_failure: bool,
}

impl Client {
    /// `internal` is the address that the owner's socket sends from: it stands in every request, and is the one that
    /// is mapped, or opened. For an IPv6 pinhole that is a global address, even where the gateway's is link-local.
    ///
    /// `nonce` is the mapping's: random for a new one, the old one to [`resume`](Self::resume). `seed` spreads what
    /// has to be spread.
    #[must_use]
    pub fn new(gateway: IpAddr, internal: IpAddr, nonce: Nonce, seed: u64) -> Self {
        Self::with_protocol(Pcp { internal, nonce, knows_prefer_failure: true }, gateway, seed)
    }

    /// What a later client needs to renew or to delete the mapping.
    #[must_use]
    pub fn nonce(&self) -> Nonce {
        self.protocol.nonce
    }
}

impl Pcp {
    fn request(&self, operation: RequestOperation) -> Vec<u8> {
        Request { client: self.internal, operation }.encode()
    }

    fn reads_as_ours(&self, response: Response) -> Option<Reply> {
        let (result, lifetime_seconds, epoch_seconds, operation) = match response {
            Response::VersionUnsupported { supported } => {
                return Some(Reply::VersionUnsupported { supported });
            }
            // What it says in our version is about another one, in which NAT-PMP was asked from the same socket.
            Response::Current { result: ResultCode::UnsupportedVersion, .. } => return None,
            Response::Current { result, lifetime_seconds, epoch_seconds, operation } => {
                (result, lifetime_seconds, Some(epoch_seconds), operation)
            }
        };
        let answer = success(result);
        match operation {
            ResponseOperation::Announce => {
                Some(Reply::Probe { epoch_seconds, answer: spoken(result, answer) })
            }
            ResponseOperation::Map { nonce, .. } if nonce != self.nonce => None,
            ResponseOperation::Map { transport, internal_port, external_port, external_address, .. } => {
                let external_address = Some(external_address).filter(|address| {
                    !address.is_unspecified() && address.is_ipv4() == self.internal.is_ipv4()
                });
                let assignment = Assignment { external_port, external_address, lifetime_seconds };
                let answer =
                    answer.map(|()| assignment).map_err(|refusal| explained(refusal, external_address));
                Some(Reply::Mapping { epoch_seconds, transport, internal_port: Some(internal_port), answer })
            }
        }
    }
}

impl Protocol for Pcp {
    const ADDRESS_COMES_WITH_PROBE: bool = false;
    const TELLS_OF_CHANGES: bool = true;
    const ANNOUNCES_ONLY_LOSS: bool = true;

    fn settings() -> Settings {
        Settings {
            epoch: Rule::Pcp,
            probe: Schedule { attempts: PROBE_ATTEMPTS, ..LADDER },
            request: LADDER,
            renewal: Schedule { first: FIRST_RENEWAL_WAIT, attempts: RENEWAL_ATTEMPTS, ..LADDER },
            release: Schedule { attempts: RELEASE_ATTEMPTS, ..LADDER },
        }
    }

    /// RFC 6887 §8.3: the source address and the source port.
    fn is_server(&self, from: SocketAddr, gateway: IpAddr) -> bool {
        from.ip().to_canonical() == gateway && from.port() == SERVER_PORT
    }

    fn probe(&self) -> Vec<u8> {
        self.request(RequestOperation::Announce)
    }

    fn map(&self, mapping: &Mapping) -> Vec<u8> {
        let exact = mapping.request.exact;
        self.request(RequestOperation::Map(Map {
            nonce: self.nonce,
            transport: mapping.request.transport,
            internal_port: mapping.request.internal_port,
            external_port: mapping.external_port.get(),
            // With PREFER_FAILURE an old address would be as binding as the port.
            external_address: mapping.external_address.filter(|_| !exact),
            prefer_failure: exact && self.knows_prefer_failure,
            lifetime_seconds: mapping.lifetime_seconds(),
        }))
    }

    /// RFC 6887 §15.1: the suggested address and port are 0.
    fn delete(&self, mapping: &Mapping) -> Vec<u8> {
        self.request(RequestOperation::Map(Map {
            nonce: self.nonce,
            transport: mapping.request.transport,
            internal_port: mapping.request.internal_port,
            external_port: 0,
            external_address: None,
            prefer_failure: false,
            lifetime_seconds: 0,
        }))
    }

    /// A firewall of miniupnpd 2.3.1 (measured) forgets the nonce when it extends a pinhole, and deletes for it no more.
    fn cut_short(&self, mapping: &Mapping, refusal: &Refusal) -> Option<Vec<u8>> {
        let mistaken = self.internal.is_ipv6() && *refusal == Refusal::NotAuthorized;
        mistaken.then(|| {
            let mut brief = mapping.clone();
            brief.request.lease = SHORTEST_LEASE;
            self.map(&brief)
        })
    }

    fn read(&self, payload: &[u8]) -> Option<Reply> {
        match Response::parse(payload) {
            Ok(response) => self.reads_as_ours(response),
            Err(error) => {
                tracing::debug!(%error, "not PCP");
                None
            }
        }
    }

    /// A gateway that does not know PREFER_FAILURE (RFC 6887 §7.3: "handling is mandatory") is asked without it.
    fn concede(&mut self, mapping: &Mapping, refusal: &Refusal) -> bool {
        let about_option = [UNSUPPORTED_OPTION, MALFORMED_OPTION].contains(refusal);
        let conceded = about_option && mapping.request.exact && self.knows_prefer_failure;
        if conceded {
            self.knows_prefer_failure = false;
        }
        conceded
    }
}

const UNSUPPORTED_OPCODE: Refusal = Refusal::Unsupported { code: Code::Pcp(4) };
const UNSUPPORTED_OPTION: Refusal = Refusal::Unsupported { code: Code::Pcp(5) };
const MALFORMED_OPTION: Refusal = Refusal::Unsupported { code: Code::Pcp(6) };

/// The time that an error is given counts for nothing: another protocol is asked at once, and a mapping that is held is
/// asked for again by the mapper's own clock.
fn success(result: ResultCode) -> Result<(), Refusal> {
    Err(match result {
        ResultCode::Success => return Ok(()),
        ResultCode::UnsupportedVersion => Refusal::Unsupported { code: Code::Pcp(1) },
        ResultCode::NotAuthorized => Refusal::NotAuthorized,
        ResultCode::MalformedRequest => Refusal::Unsupported { code: Code::Pcp(3) },
        ResultCode::UnsupportedOpcode => UNSUPPORTED_OPCODE,
        ResultCode::UnsupportedOption => UNSUPPORTED_OPTION,
        ResultCode::MalformedOption => MALFORMED_OPTION,
        ResultCode::NetworkFailure => Refusal::NetworkFailure,
        ResultCode::NoResources | ResultCode::UserExceededQuota => Refusal::NoResources,
        ResultCode::UnsupportedProtocol => Refusal::Unsupported { code: Code::Pcp(9) },
        ResultCode::CannotProvideExternal => Refusal::CannotProvideExternal,
        ResultCode::AddressMismatch => Refusal::AddressMismatch,
        ResultCode::ExcessiveRemotePeers => Refusal::Other { code: Code::Pcp(13) },
        ResultCode::Unknown(code) => Refusal::Other { code: Code::Pcp(code) },
    })
}

/// miniupnpd 2.3.1 (measured) refuses with NO_RESOURCES what it cannot map because its own address is private, and
/// puts that address into the answer.
fn explained(refusal: Refusal, external_address: Option<IpAddr>) -> Refusal {
    let unable = matches!(refusal, Refusal::NoResources | Refusal::NetworkFailure);
    match external_address {
        // What a firewall tells is the pinholed address.
        Some(IpAddr::V6(_)) => refusal,
        Some(external) if unable && matches!(reach(external), Reach::Private | Reach::CarrierShared) => {
            Refusal::BehindNat { external }
        }
        _ => refusal,
    }
}

/// A server that does not know ANNOUNCE may know MAP all the same, and has said that it speaks PCP.
fn spoken(result: ResultCode, answer: Result<(), Refusal>) -> Result<Option<IpAddr>, Refusal> {
    match result {
        ResultCode::UnsupportedOpcode => Ok(None),
        _ => answer.map(|()| None),
    }
}

#[cfg(test)]
mod tests;
