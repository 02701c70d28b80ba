//! What the user reads, and its JSON (docs/map.md).
//!
//! A view is fit for a terminal: what a router wrote is escaped when it is taken in.

mod list;
mod mapping;
mod survey;

pub(super) use self::list::ListView;
pub(super) use self::mapping::{Lines, MappingView, RemovalView};
pub(super) use self::survey::SurveyView;

use std::net::IpAddr;

use portmap::address::{Reach, reach};
use portmap::mapper::Protocol;
use portmap::mapping::Transport;
use serde::Serialize;

/// What an external address means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ReachView {
    Public,
    BehindNat,
    CarrierNat,
    /// There is none, or it was not told.
    Unknown,
}

impl ReachView {
    fn of(address: Option<IpAddr>) -> Self {
        match address.map(reach) {
            Some(Reach::Public) => Self::Public,
            Some(Reach::Private) => Self::BehindNat,
            Some(Reach::CarrierShared) => Self::CarrierNat,
            Some(Reach::Unspecified) | None => Self::Unknown,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::BehindNat => "private: behind another NAT",
            Self::CarrierNat => "shared by the provider's customers: behind a carrier-grade NAT",
            Self::Unknown => "unknown",
        }
    }
}

pub(super) fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Pcp => "PCP",
        Protocol::NatPmp => "NAT-PMP",
        Protocol::Upnp => "UPnP",
    }
}

/// As `--protocol` takes it.
fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Pcp => "pcp",
        Protocol::NatPmp => "nat-pmp",
        Protocol::Upnp => "upnp",
    }
}

/// As `--transport` takes it.
fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}
