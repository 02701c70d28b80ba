//! What every protocol's client is asked for, and what it answers.
//!
//! A client speaks one protocol about **one** mapping. It knows how to ask; the [`mapper`](crate::mapper) knows
//! what to ask for, when, and what to do after a refusal.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mapping::Transport;

/// One attempt at a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub transport: Transport,
    pub internal_port: NonZeroU16,
    /// Suggested; never 0, which some routers refuse and others take as "all ports".
    pub external_port: NonZeroU16,
    /// Exactly [`Self::external_port`], or a refusal.
    pub exact: bool,
    pub lease: Duration,
}

/// A mapping that the gateway has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The port is the one that the gateway assigned; the address is `None` where it told none or an unusable one.
    pub external_address: Option<IpAddr>,
    pub external_port: NonZeroU16,
    pub internal_port: NonZeroU16,
    /// What was granted, not what was asked for; `None` = the gateway keeps it until it is deleted.
    pub lease: Option<Duration>,
}

/// What a client tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The protocol is spoken there.
    Available {
        external_address: Option<IpAddr>,
    },
    /// The protocol is not to be had.
    Absent(Absence),
    /// UPnP: the question that is asked next may make a mapping of that port, or a pinhole.
    Making {
        external_port: NonZeroU16,
    },
    /// The answer to `request` and to `renew`.
    Granted(Grant),
    /// The gateway still lists the mapping.
    Confirmed,
    Refused(Refusal),
    /// The end of `release`; unconfirmed where the gateway did not answer.
    Released {
        /// The external one. `None` of PCP and NAT-PMP, whose client has one mapping.
        port: Option<NonZeroU16>,
        confirmed: bool,
    },
    /// The gateway lost its state, or may have: ask again at once.
    GatewayRestarted,
    /// The gateway was heard, and does not seem to have restarted.
    GatewayAlive,
    ExternalAddressChanged(Option<IpAddr>),
}

/// Why a protocol is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    NoAnswer,
    /// The gateway's port is closed (ICMP port unreachable).
    Refused,
    /// It speaks another version only.
    VersionUnsupported {
        supported: u8,
    },
    /// Something answered, but nothing that maps ports.
    NoService(SocketAddr),
}

/// Why a mapping was refused, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else has the port: take another.
    Conflict,
    /// The gateway's rules forbid it: another port may be allowed, another try is not.
    NotAuthorized,
    /// The gateway's table, or this host's share of it, is full.
    NoResources,
    /// The gateway has no connection to the outside.
    NetworkFailure,
    /// The gateway sees another address than ours: a NAT stands between.
    AddressMismatch,
    /// The gateway maps nothing, and tells an address of its own that is not public.
    BehindNat { external: IpAddr },
    /// PCP: the gateway cannot give the wanted external port or address; another one may be had.
    CannotProvideExternal,
    /// Only the same number inside and outside is allowed.
    SamePortRequired,
    /// The gateway does not know how, whatever is asked.
    Unsupported { code: Code },
    /// The gateway said yes, but its table does not say the same.
    Unconfirmed,
    /// What was added will not do, or nobody can say; and it cannot be deleted, or not be seen deleted.
    LeftBehind {
        port: NonZeroU16,
        /// `None`: until somebody deletes it.
        lease: Option<Duration>,
    },
    /// No usable answer in time.
    NoAnswer,
    /// Any other code.
    Other { code: Code },
}

/// What a gateway said, in its protocol's numbers: those of one protocol mean nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// RFC 6887 §7.4.
    Pcp(u8),
    /// RFC 6886 §3.5.
    NatPmp(u16),
    /// UDA 1.1 §3.2.2, or the service's own.
    Upnp(u16),
    /// RFC 9110 §15, where UPnP got a page for an answer.
    Http(u16),
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pcp(code) => write!(formatter, "PCP result {code}"),
            Self::NatPmp(code) => write!(formatter, "NAT-PMP result {code}"),
            Self::Upnp(code) => write!(formatter, "UPnP error {code}"),
            Self::Http(status) => write!(formatter, "HTTP status {status}"),
        }
    }
}
