//! One answered location: what it describes, and which of its services is worth asking.

use std::net::IpAddr;
use std::time::Duration;

use super::control::Control;
use super::description::{Description, Service, ServiceKind};
use super::ssdp::Message;
use super::url::Url;
use crate::address::{Reach, reach};

/// MikroTik lists a service per WAN port; more than this is noise.
const SERVICES_MAXIMUM: usize = 8;

#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) location: Url,
    /// The default gateway answered, or this is its address.
    pub(super) is_default: bool,
    /// What it was discovered by, if it was an answer.
    pub(super) answer: Option<Message>,
    /// It called itself a gateway. One that does not may be one all the same, as its description tells.
    pub(super) is_named: bool,
    pub(super) connections: Vec<Connection>,
    /// The description has been asked for.
    pub(super) is_asked: bool,
    /// The description has been read, or will never be.
    pub(super) described: bool,
    pub(super) remembered: bool,
    /// How long after the search began.
    pub(super) answered_after: Duration,
    pub(super) description: Option<Description>,
}

/// A WAN connection service, or an IPv6 firewall, and what it said of itself.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) service: Service,
    /// Of a firewall: whether what is asked for comes through.
    pub(super) connected: Option<bool>,
    pub(super) external_address: Option<IpAddr>,
    pub(super) uptime_seconds: Option<u32>,
    pub(super) assessed_after: Option<Duration>,
    /// Questions that are still open.
    pub(super) unanswered: u8,
}

/// A gateway as it showed itself. All texts are as received, but bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub location: Url,
    /// How long after the search began.
    pub answered_after: Duration,
    /// `None`: it could not be read.
    pub description: Option<Description>,
    pub connections: Vec<FoundConnection>,
}

/// A service that maps ports, and what it said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundConnection {
    pub service_type: String,
    pub control_url: Url,
    pub connected: Option<bool>,
    pub external_address: Option<IpAddr>,
    pub uptime_seconds: Option<u32>,
    /// How long after the search began it had answered; `None`: not at all.
    pub answered_after: Option<Duration>,
}

/// The order in which services are taken, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// First of all: what this host sends goes out by its default gateway, whoever else may map ports here.
    place: Place,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    DefaultGateway,
    Elsewhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    ConnectedPublic,
    /// Behind another NAT, which may forward everything to this one.
    ConnectedPrivate,
    Disconnected,
}

impl Gateway {
    pub(super) fn new(location: Url, is_default: bool) -> Self {
        Self {
            location,
            is_default,
            answer: None,
            is_named: true,
            connections: Vec::new(),
            is_asked: false,
            described: false,
            remembered: false,
            answered_after: Duration::ZERO,
            description: None,
        }
    }

    /// As if it had just been described. `None` where what is remembered does not serve this host's address.
    pub(super) fn remembered(control: Control, internal: IpAddr, is_default: bool) -> Option<Self> {
        let kind = ServiceKind::parse(&control.service_type).filter(|kind| kind.serves(internal))?;
        let service = Service {
            kind,
            service_type: control.service_type,
            control_url: control.url.clone(),
            control_url_at_root: None,
            event_url: None,
        };
        let mut gateway = Self::new(control.url, is_default);
        gateway.describe(vec![service]);
        Some(Self { remembered: true, is_asked: true, ..gateway })
    }

    pub(super) fn address(&self) -> IpAddr {
        self.location.host()
    }

    /// With those of its services that serve.
    pub(super) fn describe(&mut self, services: Vec<Service>) {
        self.described = true;
        self.connections = services.into_iter().take(SERVICES_MAXIMUM).map(Connection::new).collect();
    }

    /// Those that can be taken, should nothing better come in time. One that was only remembered has to answer first.
    pub(super) fn usable(&self) -> impl Iterator<Item = &Connection> {
        let usable = |connection: &&Connection| match self.remembered {
            true => connection.has_answered(),
            false => connection.is_assessed() || connection.external_address.is_some(),
        };
        self.connections.iter().filter(usable)
    }

    /// One that was only remembered did not show itself; nor did what is neither called a gateway nor is one.
    pub(super) fn found(&self) -> Option<Found> {
        let shows_itself = !self.remembered && (self.is_named || !self.connections.is_empty());
        shows_itself.then(|| Found {
            location: self.location.clone(),
            answered_after: self.answered_after,
            description: self.description.clone(),
            connections: self.connections.iter().map(Connection::found).collect(),
        })
    }

    pub(super) fn is_assessed(&self) -> bool {
        self.described && self.connections.iter().all(Connection::is_assessed)
    }

    /// It has told all, and has nothing to offer.
    pub(super) fn has_failed(&self) -> bool {
        self.is_assessed() && !self.serves()
    }

    pub(super) fn serves(&self) -> bool {
        self.connections.iter().any(Connection::has_answered)
    }
}

impl Connection {
    /// With all questions open: a firewall is asked for its status, a connection for its external address as well.
    fn new(service: Service) -> Self {
        let unanswered = if service.kind.is_wan_connection() { 2 } else { 1 };
        Self {
            service,
            connected: None,
            external_address: None,
            uptime_seconds: None,
            assessed_after: None,
            unanswered,
        }
    }

    pub(super) fn is_assessed(&self) -> bool {
        self.unanswered == 0
    }

    fn found(&self) -> FoundConnection {
        FoundConnection {
            service_type: self.service.service_type.clone(),
            control_url: self.service.control_url.clone(),
            connected: self.connected,
            external_address: self.external_address,
            uptime_seconds: self.uptime_seconds,
            answered_after: self.assessed_after.filter(|_| self.has_answered()),
        }
    }

    fn has_answered(&self) -> bool {
        self.connected.is_some() || self.external_address.is_some()
    }

    pub(super) fn rank(&self, is_default_gateway: bool) -> Rank {
        let standing = match (self.connected, self.external_address.map(reach)) {
            (Some(false), _) => Standing::Disconnected,
            (_, Some(Reach::Public)) => Standing::ConnectedPublic,
            (_, Some(_)) | (Some(true), None) => Standing::ConnectedPrivate,
            (None, None) => Standing::Disconnected,
        };
        // One that keeps silent to every question is not waited for by those who have another.
        let place = match is_default_gateway && self.has_answered() {
            true => Place::DefaultGateway,
            false => Place::Elsewhere,
        };
        Rank { place, standing }
    }
}

impl Rank {
    /// Nothing that may still answer can be better.
    pub(super) fn is_best(self) -> bool {
        self == Self { place: Place::DefaultGateway, standing: Standing::ConnectedPublic }
    }
}
