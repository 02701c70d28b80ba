//! A mapping in a form that outlives the process.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use anyhow::{Context, Result, ensure};
use portmap::mapper::{Control, Protocol, Record};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::soap::InternalClient;
use portmap::upnp::{self, Listing, url::Url};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedMapping {
    pub(crate) internal: IpAddr,
    pub(crate) gateway: IpAddr,
    pub(crate) external_port: NonZeroU16,
    pub(crate) internal_port: NonZeroU16,
    #[serde(default)]
    transport: SavedTransport,
    protocol: SavedProtocol,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum SavedTransport {
    #[default]
    Udp,
    Tcp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum SavedProtocol {
    Pcp {
        nonce: [u8; 12],
    },
    NatPmp,
    Upnp {
        control_url: String,
        service_type: String,
        /// The number of an IPv6 pinhole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pinhole: Option<u16>,
        #[serde(default, skip_serializing_if = "SavedListing::is_as_asked")]
        listing: SavedListing,
    },
}

/// [`Listing`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
enum SavedListing {
    #[default]
    AsAsked,
    Unread,
    Rewritten {
        client: String,
        internal_port: u16,
        description: String,
    },
}

impl SavedMapping {
    pub(crate) fn new(internal: IpAddr, record: &Record) -> Self {
        let protocol = match &record.control {
            Control::Upnp(control) => SavedProtocol::upnp(control, None, &record.listing),
            Control::Pinhole { control, id } => SavedProtocol::upnp(control, Some(*id), &record.listing),
            Control::ControlPort { nonce: Some(nonce), .. } => SavedProtocol::Pcp { nonce: nonce.0 },
            Control::ControlPort { nonce: None, .. } => SavedProtocol::NatPmp,
        };
        let transport = match record.transport {
            Transport::Udp => SavedTransport::Udp,
            Transport::Tcp => SavedTransport::Tcp,
        };
        let gateway = record.control.gateway();
        let Record { internal_port, external_port, .. } = *record;
        Self { internal, gateway, external_port, internal_port, transport, protocol }
    }

    pub(crate) fn record(&self) -> Result<Record> {
        let gateway = self.gateway;
        let control = match &self.protocol {
            SavedProtocol::Pcp { nonce } => Control::ControlPort { gateway, nonce: Some(Nonce(*nonce)) },
            SavedProtocol::NatPmp => Control::ControlPort { gateway, nonce: None },
            SavedProtocol::Upnp { control_url, service_type, pinhole, .. } => {
                let url = Url::parse(control_url).with_context(|| control_url.clone())?;
                ensure!(url.served_by(gateway), "{url} is not on {gateway}");
                let service_type = service_type.clone();
                let control = upnp::Control { gateway, url, service_type, external_address: None };
                match *pinhole {
                    Some(id) => Control::Pinhole { control, id },
                    None => Control::Upnp(control),
                }
            }
        };
        let (protocol, transport) = (self.protocol(), self.transport());
        let (internal_port, external_port) = (self.internal_port, self.external_port);
        Ok(Record { protocol, transport, internal_port, external_port, control, listing: self.listing() })
    }

    /// Of the router's table, where UPnP made the mapping.
    pub(crate) fn listing(&self) -> Listing {
        match &self.protocol {
            SavedProtocol::Upnp { listing, .. } => listing.to_listing(),
            SavedProtocol::Pcp { .. } | SavedProtocol::NatPmp => Listing::AsAsked,
        }
    }

    /// What a PCP server knows the mapping by; any other will do for the other protocols.
    pub(crate) fn nonce(&self) -> Nonce {
        match self.protocol {
            SavedProtocol::Pcp { nonce } => Nonce(nonce),
            SavedProtocol::NatPmp | SavedProtocol::Upnp { .. } => Nonce([0; 12]),
        }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match self.protocol {
            SavedProtocol::Pcp { .. } => Protocol::Pcp,
            SavedProtocol::NatPmp => Protocol::NatPmp,
            SavedProtocol::Upnp { .. } => Protocol::Upnp,
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        match self.transport {
            SavedTransport::Udp => Transport::Udp,
            SavedTransport::Tcp => Transport::Tcp,
        }
    }

    pub(crate) fn target(&self) -> SocketAddr {
        SocketAddr::new(self.internal, self.internal_port.get())
    }
}

impl SavedProtocol {
    fn upnp(control: &upnp::Control, pinhole: Option<u16>, listing: &Listing) -> Self {
        let (control_url, service_type) = (control.url.to_string(), control.service_type.clone());
        Self::Upnp { control_url, service_type, pinhole, listing: SavedListing::new(listing) }
    }
}

impl SavedListing {
    fn new(listing: &Listing) -> Self {
        match listing {
            Listing::AsAsked => Self::AsAsked,
            Listing::Unread => Self::Unread,
            Listing::Rewritten { client, internal_port, description } => Self::Rewritten {
                client: match client {
                    InternalClient::Address(address) => address.to_string(),
                    InternalClient::Name(name) => name.clone(),
                },
                internal_port: *internal_port,
                description: description.clone(),
            },
        }
    }

    fn to_listing(&self) -> Listing {
        match self {
            Self::AsAsked => Listing::AsAsked,
            Self::Unread => Listing::Unread,
            Self::Rewritten { client, internal_port, description } => Listing::Rewritten {
                client: match client.parse() {
                    Ok(address) => InternalClient::Address(address),
                    Err(_) => InternalClient::Name(client.clone()),
                },
                internal_port: *internal_port,
                description: description.clone(),
            },
        }
    }

    fn is_as_asked(&self) -> bool {
        *self == Self::AsAsked
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn upnp_control(url: &str) -> Control {
        Control::Upnp(upnp::Control {
            gateway: "192.168.1.1".parse().unwrap(),
            url: Url::parse(url).unwrap(),
            service_type: "urn:schemas-upnp-org:service:WANIPConnection:1".into(),
            external_address: None,
        })
    }

    pub(crate) fn pinhole_control() -> Control {
        let Control::Upnp(control) = upnp_control("http://192.168.1.1/control") else { unreachable!() };
        Control::Pinhole { control, id: 7 }
    }

    pub(crate) fn saved(control: Control, transport: Transport) -> SavedMapping {
        let protocol = match &control {
            Control::Upnp(_) | Control::Pinhole { .. } => Protocol::Upnp,
            Control::ControlPort { nonce: Some(_), .. } => Protocol::Pcp,
            Control::ControlPort { nonce: None, .. } => Protocol::NatPmp,
        };
        let port = NonZeroU16::new(60001).unwrap();
        let (internal_port, external_port) = (port, port);
        let listing = Listing::AsAsked;
        let record = Record { protocol, transport, internal_port, external_port, control, listing };
        SavedMapping::new("192.168.1.10".parse().unwrap(), &record)
    }

    #[test]
    fn what_is_saved_is_enough_to_delete_the_mapping() {
        let gateway = "192.168.1.1".parse().unwrap();
        for control in [
            upnp_control("http://192.168.1.1/control"),
            pinhole_control(),
            Control::ControlPort { gateway, nonce: Some(Nonce([5; 12])) },
            Control::ControlPort { gateway, nonce: None },
        ] {
            for transport in [Transport::Udp, Transport::Tcp] {
                let saved = saved(control.clone(), transport);
                let text = serde_json::to_string(&saved).unwrap();
                let read: SavedMapping = serde_json::from_str(&text).unwrap();
                let record = read.record().unwrap();
                assert_eq!((record.control, record.transport), (control.clone(), transport));
            }
        }
    }

    #[test]
    fn how_the_router_lists_it_is_saved_and_need_not_be_there() {
        let client = |text: &str| match text.parse() {
            Ok(address) => InternalClient::Address(address),
            Err(_) => InternalClient::Name(text.into()),
        };
        let rewritten = |text| Listing::Rewritten {
            client: client(text),
            internal_port: 60001,
            description: "UPnP".into(),
        };
        let before = saved(upnp_control("http://192.168.1.1/control"), Transport::Udp);
        for listing in [Listing::AsAsked, Listing::Unread, rewritten("server.lan"), rewritten("192.168.1.10")]
        {
            let record = Record { listing: listing.clone(), ..before.record().unwrap() };
            let text = serde_json::to_string(&SavedMapping::new(before.internal, &record)).unwrap();
            assert_eq!(text.contains("listing"), listing != Listing::AsAsked, "{text}");
            assert_eq!(serde_json::from_str::<SavedMapping>(&text).unwrap().listing(), listing);
        }
    }

    #[test]
    fn a_file_that_points_to_another_host_than_the_gateway_is_refused() {
        let saved = saved(upnp_control("http://192.168.1.1/control"), Transport::Udp);
        let saved = SavedMapping { gateway: "192.168.1.2".parse().unwrap(), ..saved };
        assert!(saved.record().is_err());
    }
}
