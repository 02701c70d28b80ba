//! A request of ours, as the router sees it.

use std::fmt;
use std::net::SocketAddr;

use portmap::effects::Exchange;
use portmap::upnp::xml::{self, Element};

pub(super) struct Request {
    pub(super) destination: SocketAddr,
    pub(super) path: String,
    pub(super) service_type: String,
    /// Empty for a description.
    pub(super) action: String,
    arguments: Vec<Element>,
}

impl Request {
    pub(super) fn read(exchange: &Exchange) -> Self {
        let text = std::str::from_utf8(&exchange.request).expect("requests are text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let path = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a request line").to_owned();
        let header = lines.find_map(|line| line.strip_prefix("SOAPAction: \"")).unwrap_or_default();
        let (service_type, action) = header.trim_end_matches('"').split_once('#').unwrap_or_default();
        Self {
            destination: exchange.destination,
            path,
            service_type: service_type.to_owned(),
            action: action.to_owned(),
            arguments: xml::elements(body.as_bytes()).expect("our own body can be read"),
        }
    }

    pub(super) fn argument(&self, name: &str) -> &str {
        let argument = self.arguments.iter().find(|element| element.name == name);
        argument.map(|element| element.text.as_str()).unwrap_or_else(|| panic!("no {name} in {self}"))
    }

    pub(super) fn number(&self, name: &str) -> u32 {
        self.argument(name).parse().unwrap_or_else(|_| panic!("{name} is no number in {self}"))
    }

    pub(super) fn external_port(&self) -> u16 {
        u16::try_from(self.number("NewExternalPort")).expect("a port")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.action)?;
        let with = |name: &str| self.arguments.iter().any(|element| element.name == name);
        if with("NewExternalPort") {
            write!(formatter, " {}", self.argument("NewExternalPort"))?;
        }
        if with("NewInternalClient") {
            let (client, port) = (self.argument("NewInternalClient"), self.argument("NewInternalPort"));
            write!(formatter, " to {client}:{port} for {} s", self.argument("NewLeaseDuration"))?;
        }
        Ok(())
    }
}
