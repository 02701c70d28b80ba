//! The device description: which services a gateway offers, and where they are controlled (UDA 1.1 §2).
//!
//! Every service that can map or tell about the WAN is kept, in document order, as a gateway may have several
//! WAN connections of which one is up. Nesting is not checked, because broken documents break there first.

use std::net::IpAddr;

use thiserror::Error;

use super::url::Url;
use super::xml::{self, Element, XmlError};

/// Services beyond these are dropped.
pub const MAXIMUM_SERVICES: usize = 64;
/// Names are cut to so many characters. A service whose type is longer is left out: it could not be named as the router
/// wants it.
pub const MAXIMUM_TEXT_CHARACTERS: usize = 128;

/// What a gateway says about itself. All texts are as received, but bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Of the root device, as in `urn:schemas-upnp-org:device:InternetGatewayDevice:1`.
    pub device_type: Option<String>,
    pub friendly_name: Option<String>,
    pub manufacturer: Option<String>,
    pub model_name: Option<String>,
    pub model_number: Option<String>,
    /// `UDN` of the root device: stays the same over restarts (UDA 1.1 §1.1.4), though not every router has
    /// one.
    pub unique_device_name: Option<String>,
    /// In document order. Empty if the device cannot map, or only writes URLs that we do not use.
    pub services: Vec<Service>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub kind: ServiceKind,
    /// As the router wrote it, which is how it wants it back in a SOAP request. Plain ASCII of urn
    /// characters.
    pub service_type: String,
    pub control_url: Url,
    /// Where a relative control URL leads to if it is meant from the root, unless that is the same.
    pub control_url_at_root: Option<Url>,
    /// Where to subscribe to events; `None` if absent or unusable.
    pub event_url: Option<Url>,
}

/// The services of a gateway that matter for mapping, by name, with the version that the router claims (1 to
/// 255).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKind {
    WanIpConnection { version: u8 },
    WanPppConnection { version: u8 },
    WanIpv6FirewallControl { version: u8 },
    WanCommonInterfaceConfig { version: u8 },
}

impl ServiceKind {
    /// Reads `urn:schemas-upnp-org:service:NAME:VERSION` or the older
    /// `urn:dslforum-org:service:NAME:VERSION`.
    pub fn parse(service_type: &str) -> Option<Self> {
        let (name, version) = versioned_name(service_type, "service")?;
        match name.to_ascii_lowercase().as_str() {
            "wanipconnection" => Some(Self::WanIpConnection { version }),
            "wanpppconnection" => Some(Self::WanPppConnection { version }),
            "wanipv6firewallcontrol" => Some(Self::WanIpv6FirewallControl { version }),
            "wancommoninterfaceconfig" => Some(Self::WanCommonInterfaceConfig { version }),
            _ => None,
        }
    }

    /// Whether the service opens a way to that address of a host.
    pub fn serves(self, internal: IpAddr) -> bool {
        match internal {
            IpAddr::V4(_) => self.is_wan_connection(),
            IpAddr::V6(_) => matches!(self, Self::WanIpv6FirewallControl { .. }),
        }
    }

    /// Whether the service maps IPv4 ports.
    pub fn is_wan_connection(self) -> bool {
        matches!(self, Self::WanIpConnection { .. } | Self::WanPppConnection { .. })
    }
}

impl Description {
    /// The version of the `InternetGatewayDevice` that the root device claims to be; `None` if it is none.
    pub fn gateway_version(&self) -> Option<u8> {
        let (name, version) = versioned_name(self.device_type.as_deref()?, "device")?;
        name.eq_ignore_ascii_case("InternetGatewayDevice").then_some(version)
    }

    /// Whether the device is an Internet gateway, by its type or by what it offers.
    pub fn is_gateway(&self) -> bool {
        self.gateway_version().is_some() || !self.services.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DescriptionError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("expected a device description, got {found:?}")]
    NotADescription { found: String },
}

/// Reads the document that was fetched from `location`.
///
/// Relative URLs are resolved against a usable `URLBase` on the host of `location`, else against `location`
/// (UDA 1.1 §2.3). A service with an unusable control URL is left out. URLs on other hosts are kept: ask
/// [`Url::served_by`] before requesting one.
///
/// # Errors
///
/// The document exceeds the caps of [`xml`], or has neither a device nor a service in it.
pub fn parse(body: &[u8], location: &Url) -> Result<Description, DescriptionError> {
    let elements = xml::elements(body)?;
    if !elements.iter().any(|element| element.is("device") || element.is("service")) {
        let found = elements.into_iter().next().map(|element| element.name).unwrap_or_default();
        return Err(DescriptionError::NotADescription { found });
    }
    let text = |name| first_text(&elements, name);
    Ok(Description {
        device_type: text("deviceType"),
        friendly_name: text("friendlyName"),
        manufacturer: text("manufacturer"),
        model_name: text("modelName"),
        model_number: text("modelNumber"),
        unique_device_name: text("UDN"),
        services: services(&elements, &base(&elements, location)),
    })
}

fn first_text(elements: &[Element], name: &str) -> Option<String> {
    let element = elements.iter().find(|element| element.is(name))?;
    let text: String = element.text.chars().take(MAXIMUM_TEXT_CHARACTERS).collect();
    (!text.is_empty()).then_some(text)
}

/// A `URLBase` on another host is left over from another network, or hostile.
fn base(elements: &[Element], location: &Url) -> Url {
    elements
        .iter()
        .filter(|element| element.is("URLBase"))
        .filter_map(|element| Url::parse(&element.text).ok())
        .find(|url| url.served_by(location.host()))
        .unwrap_or_else(|| location.clone())
}

fn services(elements: &[Element], base: &Url) -> Vec<Service> {
    let starts =
        elements.iter().enumerate().filter(|(_, element)| element.is("service")).map(|(index, _)| index);
    starts
        .filter_map(|start| {
            let inside = elements.get(start.saturating_add(1)..).unwrap_or_default();
            let end = inside.iter().position(|element| element.is("service") || element.is("device"));
            service(inside.get(..end.unwrap_or(inside.len())).unwrap_or_default(), base)
        })
        .take(MAXIMUM_SERVICES)
        .collect()
}

fn service(inside: &[Element], base: &Url) -> Option<Service> {
    let text = |name| inside.iter().find(|element| element.is(name)).map(|element| element.text.as_str());
    let service_type = text("serviceType").filter(|text| text.len() <= MAXIMUM_TEXT_CHARACTERS)?;
    let control_url = text("controlURL")?;
    Some(Service {
        kind: ServiceKind::parse(service_type)?,
        service_type: service_type.to_owned(),
        control_url: base.resolve(control_url).ok()?,
        control_url_at_root: base.resolve_at_root(control_url),
        event_url: text("eventSubURL").and_then(|reference| base.resolve(reference).ok()),
    })
}

fn versioned_name<'a>(text: &'a str, class: &str) -> Option<(&'a str, u8)> {
    let mut parts = text.trim().split(':');
    let mut next_is = |wanted: &[&str]| {
        parts.next().is_some_and(|part| wanted.iter().any(|w| part.eq_ignore_ascii_case(w)))
    };
    if !(next_is(&["urn"]) && next_is(&["schemas-upnp-org", "dslforum-org"]) && next_is(&[class])) {
        return None;
    }
    let (name, version) = (parts.next()?, parts.next()?);
    let digits = version.bytes().all(|byte| byte.is_ascii_digit());
    match version.parse() {
        Ok(version) if digits && version > 0 && parts.next().is_none() => Some((name, version)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
