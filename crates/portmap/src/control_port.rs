//! What PCP and NAT-PMP have in common: one question at a time to the gateway's UDP port 5351.
//!
//! Both protocols ask the same three things (who are you, map this, forget this), in packets of their own, and tell
//! by a clock in every answer when the gateway has lost its table. [`Client`] is that life; a [`Protocol`] turns its
//! questions into packets and packets into [`Reply`]s.

mod client;
#[cfg(test)]
pub(crate) mod mutation;
#[cfg(test)]
pub(crate) mod test_client;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

pub use self::client::Client;
use crate::client::{Refusal, Request};
use crate::epoch;
use crate::mapping::Transport;
use crate::retransmission::Schedule;

/// Where a gateway is asked (RFC 6886 §3.1, RFC 6887 §7).
pub const SERVER_PORT: u16 = 5351;
/// Where a gateway announces that it restarted (RFC 6886 §3.2.1, RFC 6887 §14.1.3).
pub const ANNOUNCEMENT_PORT: u16 = 5350;

/// 250 ms + 500 ms: "none" has to be known within a second. A later answer still counts.
pub const PROBE_ATTEMPTS: u32 = 2;
/// RFC 6886 §3.1's nine: 128 s, which outlasts the restart of a home router.
pub const REQUEST_ATTEMPTS: u32 = 9;
/// RFC 6886 §3.1: "it may be acceptable for a client to retry only once or twice before giving up".
pub const RELEASE_ATTEMPTS: u32 = 3;

/// RFC 6886 §3.1: "waits 250 ms for a response".
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(250);
/// RFC 6887 §8.1.1's IRT is 3 s. Where nothing is known of a gateway, a lost datagram costs less than that; at one that is
/// known to be slow, copies would keep waiting whoever comes last of many.
pub(crate) const LONGEST_FIRST_WAIT: Duration = Duration::from_secs(4);
/// RFC 6886 §3.1, the wait after the ninth attempt.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(64);

/// RFC 6886 §3.7: "delay by a random amount of time selected with uniform random distribution in the range 0 to
/// 5 seconds". Deliberately less: that range is for the hosts of a large link, and here somebody waits at a keyboard.
/// Two seconds still spread a household's or an office's hosts.
pub const RESTART_DELAY_MAXIMUM: Duration = Duration::from_secs(2);

/// Longer leases, "infinite" ones too, are taken for a day: then the gateway is asked again (RFC 6887 §15).
pub const LEASE_MAXIMUM: Duration = Duration::from_secs(24 * 60 * 60);

/// What a [`Client`] leaves to its protocol.
pub trait Protocol: fmt::Debug {
    /// Whether the external address comes with the answer to a probe, rather than with each mapping.
    const ADDRESS_COMES_WITH_PROBE: bool;

    /// Whether a gateway may tell, unasked, that a mapping has changed.
    const TELLS_OF_CHANGES: bool;

    /// Whether every announcement is a reason to look after the mapping, also one whose clock went on.
    const ANNOUNCES_ONLY_LOSS: bool;

    #[doc(hidden)]
    fn settings() -> Settings;

    /// Whether this source of a unicast answer is the server that was asked.
    fn is_server(&self, from: SocketAddr, gateway: IpAddr) -> bool;

    fn probe(&self) -> Vec<u8>;
    fn map(&self, mapping: &Mapping) -> Vec<u8>;
    fn delete(&self, mapping: &Mapping) -> Vec<u8>;

    /// After a refusal to delete: a request that leaves the mapping as little time as can be.
    fn cut_short(&self, _mapping: &Mapping, _refusal: &Refusal) -> Option<Vec<u8>> {
        None
    }

    /// Reads an answer or an announcement; `None` is to be dropped.
    fn read(&self, payload: &[u8]) -> Option<Reply>;

    /// Whether the question may be put in plainer words after this refusal, and now is.
    fn concede(&mut self, _mapping: &Mapping, _refusal: &Refusal) -> bool {
        false
    }
}

/// Numbers by protocol.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub(crate) epoch: epoch::Rule,
    pub(crate) probe: Schedule,
    pub(crate) request: Schedule,
    pub(crate) renewal: Schedule,
    pub(crate) release: Schedule,
}

/// The mapping that a client is about, from the first question on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// As wanted, whatever was granted.
    pub(crate) request: Request,
    /// What to suggest: as granted, else as wanted.
    pub(crate) external_port: NonZeroU16,
    pub(crate) external_address: Option<IpAddr>,
    pub(crate) standing: Standing,
}

/// How sure it is that the gateway has the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Asked for, never granted.
    Asked,
    Held,
    /// Granted once, but to be made again: the gateway may have forgotten it, or something else is wanted now.
    Doubtful,
}

/// An answer or an announcement, without its packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    VersionUnsupported {
        supported: u8,
    },
    Probe {
        epoch_seconds: Option<u32>,
        /// The external address, if any is told.
        answer: Result<Option<IpAddr>, Refusal>,
    },
    Mapping {
        epoch_seconds: Option<u32>,
        transport: Transport,
        /// `None` where the reply does not repeat it.
        internal_port: Option<u16>,
        answer: Result<Assignment, Refusal>,
    },
}

impl Reply {
    fn may_answer_a_deletion(&self) -> bool {
        match self {
            Self::VersionUnsupported { .. } => true,
            Self::Mapping { answer: Ok(assignment), .. } => assignment.lifetime_seconds == 0,
            Self::Mapping { answer: Err(_), .. } => true,
            Self::Probe { .. } => false,
        }
    }
}

/// What a gateway says it has assigned. After a deletion the lifetime is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    pub external_port: u16,
    pub external_address: Option<IpAddr>,
    pub lifetime_seconds: u32,
}

impl Mapping {
    pub(crate) fn is_of(&self, transport: Transport, internal_port: Option<u16>) -> bool {
        self.request.transport == transport
            && internal_port.is_none_or(|port| port == self.request.internal_port.get())
    }

    /// The wanted lease in whole seconds: at least 1, because 0 would delete.
    pub(crate) fn lifetime_seconds(&self) -> u32 {
        u32::try_from(self.request.lease.as_secs()).unwrap_or(u32::MAX).max(1)
    }
}
