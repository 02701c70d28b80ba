//! What goes into a mapper, and what it tells.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::cause::Cause;
use crate::mapping::Transport;
use crate::{pcp, upnp};

/// In the order in which they are preferred where several answer.
///
/// PCP tells of lost state by its epoch and by announcements, and names its mappings by a nonce; NAT-PMP lacks the
/// nonce; UPnP has neither, and takes five round trips where the others take two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Pcp,
    NatPmp,
    Upnp,
}

impl Protocol {
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];
}

/// What a mapper needs to know of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This host's address on the gateway's link: one that is translated, or a global IPv6 address, for which a pinhole
    /// is opened.
    pub internal: IpAddr,
    /// The router of the default route, in the same family; an IPv6 one is usually link-local.
    pub gateway: Option<IpAddr>,
    /// To be asked side by side.
    pub protocols: Vec<Protocol>,
    /// What is known of this network from before. It says whom to ask first, and is trusted no further.
    pub remembered: Option<Remembered>,
    /// What the mapping is called in the router's table: ASCII, at most 60 characters, unlike any other session's.
    pub description: String,
    /// Asked for; the gateway may grant another. 1 s to a week.
    pub lease: Duration,
    /// A gateway that refuses this lease is asked for no other one, so that nothing is mapped that outlives its maker for long.
    pub only_this_lease: bool,
    /// How long a gateway may keep silent before there is none; [`upnp::SEARCH_WINDOW`] finds those in good order.
    pub search_window: Duration,
    /// Names the mapping to a PCP server, which gives it to nobody else. Not to be guessed.
    pub nonce: pcp::Nonce,
    /// Spreads the renewals of many hosts.
    pub seed: u64,
}

/// What a mapper learnt of its gateway, for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// By which it mapped last.
    pub protocol: Protocol,
    /// Where UPnP was found.
    pub control: Option<upnp::Control>,
    /// How long PCP or NAT-PMP took to answer, from the first time that it was asked.
    pub answer_time: Option<Duration>,
    /// External ports outside of which the gateway was seen to forbid some.
    pub allowed: Option<RangeInclusive<NonZeroU16>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub transport: Transport,
    pub internal_port: NonZeroU16,
    pub external: External,
}

/// Which external port will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum External {
    /// Any, preferably the internal port's number or another of the range.
    Near(RangeInclusive<NonZeroU16>),
    /// The internal port's number, else another of the range.
    Within(RangeInclusive<NonZeroU16>),
    /// This one has been chosen by, or told to, somebody.
    Only(NonZeroU16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub internal: SocketAddr,
    /// As far as the gateway tells.
    pub external_address: Option<IpAddr>,
    /// `None`: until it is deleted.
    pub lease: Option<Duration>,
    pub record: Record,
}

impl Mapping {
    #[must_use]
    pub fn external_port(&self) -> NonZeroU16 {
        self.record.external_port
    }
}

/// What is needed to delete the mapping later, without the mapper that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub protocol: Protocol,
    pub transport: Transport,
    pub internal_port: NonZeroU16,
    pub external_port: NonZeroU16,
    pub control: Control,
    /// How the router's table lists it; of UPnP alone.
    pub listing: upnp::Listing,
}

/// A mapping that was made from another address of the host, or from this one before it moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeElsewhere {
    /// To delete it from.
    pub internal: IpAddr,
    pub record: Record,
    /// `None`: it does not end by itself.
    pub expires: Option<Instant>,
}

/// How the gateway is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    Upnp(upnp::Control),
    /// UPnP with the number that the gateway gave to the pinhole.
    Pinhole {
        control: upnp::Control,
        id: u16,
    },
    /// NAT-PMP, or PCP with the nonce that the mapping was made with.
    ControlPort {
        gateway: IpAddr,
        nonce: Option<pcp::Nonce>,
    },
}

impl Control {
    #[must_use]
    pub fn gateway(&self) -> IpAddr {
        match self {
            Self::Upnp(control) | Self::Pinhole { control, .. } => control.gateway,
            Self::ControlPort { gateway, .. } => *gateway,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing goes out before this was fetched: what goes out then may make a mapping. Whoever keeps records writes this
    /// one down first, one for each protocol, and keeps it until the protocol asks for another or the mapper has ended.
    Asked(Record),
    /// At the end, also after [`Failed`](Self::Failed): it may still be there, and nobody of us is going to delete it.
    Left(Record),
    /// For the first time.
    Mapped(Mapping),
    Renewed(Mapping),
    /// Made again, or with another external address or port.
    Changed(Mapping),
    /// It was there and is not any more; the mapper goes on trying.
    Lost(Cause),
    /// It cannot be had. What may be left is given back yet, until [`Mapper::has_ended`](super::Mapper::has_ended).
    Failed(Cause),
    /// The end; unconfirmed where the gateway gave no answer.
    Released {
        confirmed: bool,
    },
}
