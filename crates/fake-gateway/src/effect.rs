//! What can go wrong with an answer.

use std::net::SocketAddr;
use std::time::Duration;

use crate::fault::MessageKind;

/// What happens to an answer. Bytes are counted over the whole answer, head included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The request is lost: not performed, not answered. A connection stays open.
    Silence,
    /// The request is performed, and the answer is lost.
    LoseReply,
    Delay(Duration),
    /// Cut off; a connection is closed there.
    Truncate(usize),
    /// Padded to so many bytes: with spaces behind an HTTP body, with zeros in a datagram.
    Oversize(usize),
    /// So many pseudo-random bytes instead.
    Garbage {
        seed: u64,
        bytes: usize,
    },
    /// These bytes instead.
    Reply(Vec<u8>),
    /// HTTP: one byte in each such time.
    Drip(Duration),
    /// HTTP: spaces behind the body, without end; no length is told.
    Endless,
    /// HTTP: not closed by the gateway at the end.
    HoldOpen,
    /// HTTP: reset at the end; with [`Self::Truncate`] in the middle.
    Reset,
    /// HTTP: the length told is longer, or shorter, by so much.
    ContentLengthOffBy(i64),
    /// HTTP: no length is told.
    NoContentLength,
    /// HTTP: in chunks of 100 bytes, with extensions.
    Chunked,
    /// HTTP: this status, whatever the body.
    Status(u16),
    /// HTTP: this body.
    Body(Vec<u8>),
    /// Actions: not performed, this UPnP error instead.
    ErrorCode(u16),
    /// Searches: another location.
    Location(String),
    /// Descriptions: another control URL for every service.
    ControlUrl(String),
    /// Descriptions: a `URLBase`.
    UrlBase(String),
    /// Datagrams: from another address or port; port 0 is any other one.
    ReplyFrom(SocketAddr),
    /// Datagrams: twice.
    Duplicate,
    /// NAT-PMP and PCP: not performed, this result instead.
    ResultCode(u8),
    /// NAT-PMP and PCP: not performed; only this version is spoken. 0 is NAT-PMP.
    SpeakOnly {
        version: u8,
    },
    /// NAT-PMP and PCP: the answer's field.
    Epoch(u32),
    /// NAT-PMP and PCP: the answer's field.
    Lifetime(u32),
    /// NAT-PMP and PCP: the answer's field, as by a gateway that cuts ports to 8 bits.
    InternalPort(u16),
    /// NAT-PMP and PCP: the answer's field.
    ExternalPort(u16),
    /// PCP: one bit of it is flipped.
    WrongNonce,
}

impl Effect {
    /// Whether it can show in the answer to such a message.
    pub(crate) fn concerns(&self, kind: MessageKind) -> bool {
        match self {
            Self::Silence
            | Self::LoseReply
            | Self::Delay(_)
            | Self::Truncate(_)
            | Self::Oversize(_)
            | Self::Garbage { .. }
            | Self::Reply(_) => true,
            Self::Drip(_)
            | Self::Endless
            | Self::HoldOpen
            | Self::Reset
            | Self::ContentLengthOffBy(_)
            | Self::NoContentLength
            | Self::Chunked
            | Self::Status(_)
            | Self::Body(_) => kind.is_http(),
            Self::ErrorCode(_) => kind.is_action(),
            Self::Location(_) => kind.is_search(),
            Self::ControlUrl(_) | Self::UrlBase(_) => kind == MessageKind::Description,
            Self::ReplyFrom(_) | Self::Duplicate => !kind.is_http(),
            Self::ResultCode(_)
            | Self::SpeakOnly { .. }
            | Self::Epoch(_)
            | Self::Lifetime(_)
            | Self::InternalPort(_)
            | Self::ExternalPort(_) => kind.is_nat_pmp() || kind.is_pcp(),
            Self::WrongNonce => kind.is_pcp(),
        }
    }

    /// Whether the request is not performed.
    pub(crate) fn prevents(&self) -> bool {
        matches!(self, Self::Silence | Self::ErrorCode(_) | Self::ResultCode(_) | Self::SpeakOnly { .. })
    }
}

/// The same bytes for the same seed (splitmix64).
pub(crate) fn garbage(seed: u64, bytes: usize) -> Vec<u8> {
    let words = (1u64..).flat_map(|index| {
        let mut mixed = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    words.take(bytes).collect()
}

/// Whether nothing at all is to be sent.
pub(crate) fn is_silent(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Silence | Effect::LoseReply))
}

/// How long the answer is held back.
pub(crate) fn delay(effects: &[Effect]) -> Duration {
    let delays = effects.iter().map(|effect| match effect {
        Effect::Delay(delay) => *delay,
        _ => Duration::ZERO,
    });
    delays.sum()
}

/// The answer's bytes after those effects that replace or cut them.
pub(crate) fn disfigured(mut bytes: Vec<u8>, effects: &[Effect]) -> Vec<u8> {
    for effect in effects {
        match effect {
            Effect::Garbage { seed, bytes: count } => bytes = garbage(*seed, *count),
            Effect::Reply(reply) => bytes.clone_from(reply),
            Effect::Truncate(length) => bytes.truncate(*length),
            _ => {}
        }
    }
    bytes
}
