//! The router of a case: it sends the case's files, and where there is none it does as WANIPConnection:1
//! says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use portmap::effects::Transmit;
use portmap::upnp::description::Service;
use portmap::upnp::ssdp;
use portmap::upnp::url::Url;

use super::case::{Case, DESCRIPTION, Destination, Entry, File, SEARCH_REPLY};
use super::codecs::{describe, location};
use super::request::Request;

/// The file names' words for actions.
const ACTIONS: [(&str, &str); 5] = [
    ("GetStatusInfo", "status"),
    ("GetExternalIPAddress", "external-address"),
    ("GetSpecificPortMappingEntry", "specific-entry"),
    ("AddPortMapping", "add"),
    ("DeletePortMapping", "delete"),
];

pub(super) struct Router<'a> {
    case: &'a Case,
    /// The WAN connections of all descriptions, in the order of the documents.
    connections: Vec<Service>,
    table: BTreeMap<u16, Entry>,
    times: BTreeMap<&'static str, usize>,
    sent: BTreeSet<&'a str>,
    calls: Vec<String>,
}

impl<'a> Router<'a> {
    pub(super) fn new(case: &'a Case) -> Self {
        let descriptions = case.of(DESCRIPTION).filter_map(|file| describe(case, file).ok());
        let services = descriptions.flat_map(|description| description.services);
        let table = case.facts.table.iter().map(|entry| (entry.external_port, entry.clone()));
        Self {
            case,
            connections: services.filter(|service| service.kind.is_wan_connection()).collect(),
            table: table.collect(),
            times: BTreeMap::new(),
            sent: BTreeSet::new(),
            calls: Vec::new(),
        }
    }

    /// The search replies to a datagram, and where they come from.
    pub(super) fn search_replies(&mut self, transmit: &Transmit) -> Vec<(SocketAddr, &'a [u8])> {
        let case = self.case;
        let heard = match case.facts.hears {
            None => true,
            Some(Destination::Multicast) => transmit.destination == SocketAddr::V4(ssdp::MULTICAST),
            Some(Destination::Unicast) => transmit.destination.ip() == case.facts.gateway,
        };
        let search = String::from_utf8_lossy(&transmit.payload);
        let target = search.lines().find_map(|line| line.strip_prefix("ST: ")).unwrap_or_default();
        let mut answered = case.facts.answers.iter().flatten();
        if !heard || !(case.facts.answers.is_none() || answered.any(|end| target.ends_with(end.as_str()))) {
            return Vec::new();
        }
        let replies = case.of(SEARCH_REPLY).enumerate();
        let replies = replies.map(|(index, file)| (self.source(index), self.send(file)));
        replies.collect()
    }

    fn source(&self, index: usize) -> SocketAddr {
        let told = self.case.facts.replies_from.get(index).copied();
        let host = || location(self.case, index + 1).map_or(self.case.facts.gateway, |url| url.host());
        told.unwrap_or_else(|| SocketAddr::new(host(), 1900))
    }

    /// The whole reply as it goes over the wire.
    pub(super) fn answer(&mut self, request: &Request) -> Vec<u8> {
        if request.action.is_empty() {
            return self.description(request);
        }
        let Some(connection) = self.connection(request) else { return web_page(404) };
        let known = ACTIONS.iter().find(|(action, _)| *action == request.action);
        let &(_, subject) = known.unwrap_or_else(|| panic!("{request}: an action that no router here knows"));
        let assesses = matches!(subject, "status" | "external-address");
        let time = self.times.entry(subject).or_default();
        *time += 1;
        let number = if assesses { connection } else { *time };
        if !assesses {
            self.calls.push(format!("asks service {connection}: {request}"));
        }
        match self.case.file(subject, number) {
            Some(file) => self.send(file).to_vec(),
            None => self.act(request, subject),
        }
    }

    /// What it was asked for once it was found, since the last time.
    pub(super) fn take_calls(&mut self) -> Vec<String> {
        std::mem::take(&mut self.calls)
    }

    /// The ports that `client` is left with.
    pub(super) fn ports_of(&self, client: IpAddr) -> Vec<u16> {
        let client = client.to_string();
        let entries = self.table.values().filter(|entry| entry.internal_client == client);
        let before = |port: &u16| self.case.facts.table.iter().any(|entry| entry.external_port == *port);
        entries.map(|entry| entry.external_port).filter(|port| !before(port)).collect()
    }

    pub(super) fn unsent(&self) -> Vec<&str> {
        let names = self.case.files().iter().map(|file| file.name.as_str());
        names.filter(|name| !self.sent.contains(name)).collect()
    }

    fn send(&mut self, file: &'a File) -> &'a [u8] {
        self.sent.insert(&file.name);
        &file.stream
    }

    fn description(&mut self, request: &Request) -> Vec<u8> {
        let case = self.case;
        let locations: Vec<_> =
            (1..=case.of(SEARCH_REPLY).count()).map(|number| location(case, number)).collect();
        let index = place(locations.iter().map(Option::as_ref), request);
        match index.and_then(|index| case.file(DESCRIPTION, index + 1)) {
            Some(file) => self.send(file).to_vec(),
            None => web_page(404),
        }
    }

    /// Counted from 1.
    fn connection(&self, request: &Request) -> Option<usize> {
        let services = self.connections.iter();
        let same_type = services
            .map(|service| (service.service_type == request.service_type).then_some(&service.control_url));
        place(same_type, request).map(|index| index + 1)
    }

    fn act(&mut self, request: &Request, subject: &str) -> Vec<u8> {
        match subject {
            "status" => done(request, "<NewConnectionStatus>Connected</NewConnectionStatus>"),
            "external-address" => done(request, "<NewExternalIPAddress>20.0.0.1</NewExternalIPAddress>"),
            "specific-entry" => match self.table.get(&request.external_port()) {
                Some(entry) => done(request, &arguments(entry)),
                None => fault(714),
            },
            "add" => self.add(request),
            _ => match self.table.remove(&request.external_port()) {
                Some(_) => done(request, ""),
                None => fault(714),
            },
        }
    }

    fn add(&mut self, request: &Request) -> Vec<u8> {
        let entry = Entry {
            external_port: request.external_port(),
            internal_client: request.argument("NewInternalClient").to_owned(),
            internal_port: u16::try_from(request.number("NewInternalPort")).expect("a port"),
            description: request.argument("NewPortMappingDescription").to_owned(),
        };
        let holder = self.table.get(&entry.external_port);
        if holder.is_some_and(|holder| holder.internal_client != entry.internal_client) {
            return fault(718);
        }
        self.table.insert(entry.external_port, entry);
        done(request, "")
    }
}

/// Which of the URLs is asked for: that of the same host, or of its twin, to whom all of them belong as well.
fn place<'a>(urls: impl Iterator<Item = Option<&'a Url>> + Clone, request: &Request) -> Option<usize> {
    let here = request.destination;
    let serves = |url: &Url| (url.port(), url.path()) == (here.port(), request.path.as_str());
    let exact = urls.clone().position(|url| url.is_some_and(|url| serves(url) && url.host() == here.ip()));
    exact.or_else(|| urls.clone().position(|url| url.is_some_and(serves)))
}

fn arguments(entry: &Entry) -> String {
    let Entry { internal_client, internal_port, description, .. } = entry;
    format!(
        "<NewInternalPort>{internal_port}</NewInternalPort><NewInternalClient>{internal_client}</NewInternalClient>\
         <NewEnabled>1</NewEnabled><NewPortMappingDescription>{description}</NewPortMappingDescription>\
         <NewLeaseDuration>0</NewLeaseDuration>"
    )
}

fn done(request: &Request, arguments: &str) -> Vec<u8> {
    let action = &request.action;
    let body = format!(
        "<s:Envelope><s:Body><u:{action}Response>{arguments}</u:{action}Response></s:Body></s:Envelope>"
    );
    http(200, &body)
}

fn fault(code: u16) -> Vec<u8> {
    http(
        500,
        &format!("<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>{code}</errorCode></UPnPError>"),
    )
}

fn web_page(status: u16) -> Vec<u8> {
    http(status, "<html><body>Not found</body></html>")
}

fn http(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} As told\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
