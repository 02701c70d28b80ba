//! One answered location: what it describes, and which of its services is worth asking.

use std::net::IpAddr;

use super::description::{Service, ServiceKind};
use super::url::Url;
use crate::address::{Reach, reach};

/// MikroTik lists a service per WAN port; more than this is noise.
const SERVICES_MAXIMUM: usize = 8;

#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) location: Url,
    pub(super) connections: Vec<Connection>,
    /// The description has been read, or will never be.
    pub(super) described: bool,
    pub(super) remembered: bool,
}

/// A WAN connection service and what it said of itself.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) service: Service,
    pub(super) connected: Option<bool>,
    pub(super) external_address: Option<IpAddr>,
    /// Questions that are still open.
    pub(super) unanswered: u8,
}

/// The order in which services are taken, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    standing: Standing,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    ConnectedPublic,
    /// Behind another NAT, which may forward everything to this one.
    ConnectedPrivate,
    Disconnected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    DefaultGateway,
    Elsewhere,
}

impl Gateway {
    pub(super) fn new(location: Url) -> Self {
        Self { location, connections: Vec::new(), described: false, remembered: false }
    }

    /// As if it had just been described.
    pub(super) fn remembered(control_url: Url, service_type: String) -> Self {
        let kind = ServiceKind::WanIpConnection { version: 1 };
        let service = Service { kind, service_type, control_url: control_url.clone(), event_url: None };
        let mut gateway = Self::new(control_url);
        gateway.describe(vec![service]);
        Self { remembered: true, ..gateway }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.location.host()
    }

    pub(super) fn describe(&mut self, services: Vec<Service>) {
        self.described = true;
        self.connections = services
            .into_iter()
            .filter(|service| service.kind.is_wan_connection())
            .take(SERVICES_MAXIMUM)
            .map(Connection::new)
            .collect();
    }

    /// Those that can be taken, should nothing better come in time. One that was only remembered has to answer first.
    pub(super) fn usable(&self) -> impl Iterator<Item = &Connection> {
        let usable = |connection: &&Connection| match self.remembered {
            true => connection.has_answered(),
            false => connection.is_assessed() || connection.external_address.is_some(),
        };
        self.connections.iter().filter(usable)
    }

    pub(super) fn is_assessed(&self) -> bool {
        self.described && self.connections.iter().all(Connection::is_assessed)
    }
}

impl Connection {
    /// With the two questions open that every service is asked: its status and its external address.
    fn new(service: Service) -> Self {
        Self { service, connected: None, external_address: None, unanswered: 2 }
    }

    pub(super) fn is_assessed(&self) -> bool {
        self.unanswered == 0
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
        let place = if is_default_gateway { Place::DefaultGateway } else { Place::Elsewhere };
        Rank { standing, place }
    }
}

impl Rank {
    /// Nothing that may still answer can be better.
    pub(super) fn is_best(self) -> bool {
        self == Self { standing: Standing::ConnectedPublic, place: Place::DefaultGateway }
    }
}
