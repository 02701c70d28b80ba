//! A UPnP router that exists only as values: answers at once, keeps a table, and misbehaves as told.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::effects::{Exchange, ExchangeInput, Reservation, Socket};
use crate::mapper::{Event, Mapper, Record};
use crate::upnp::xml;

pub(super) const ROUTER: &str = "192.168.1.1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) client: String,
    pub(super) port: u16,
    pub(super) description: String,
    pub(super) lease: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not performed, not answered.
    Silence,
    /// Performed, not answered.
    LostReply,
    /// Performed, and answered with this HTTP status and nothing else.
    Status(u16),
    /// Not performed, and answered with this UPnP error.
    Code(u16),
    /// Performed, and answered with this UPnP error.
    Lie(u16),
    /// Not performed, and answered with this HTTP status and nothing else.
    Refused(u16),
}

pub(super) struct Router {
    pub(super) table: BTreeMap<u16, Entry>,
    pub(super) external: String,
    pub(super) allowed: std::ops::RangeInclusive<u16>,
    pub(super) http_port: u16,
    pub(super) up: bool,
    /// Its description is of no gateway.
    pub(super) has_no_service: bool,
    /// Each host maps and deletes for itself alone.
    pub(super) is_secure: bool,
    /// To searches.
    pub(super) deaf: bool,
    /// So many of the first searches.
    pub(super) loses: usize,
    pub(super) status: &'static str,
    /// What it calls itself.
    pub(super) server: &'static str,
    /// What it makes of an entry that is added.
    pub(super) rewrite: fn(&mut Entry),
    /// The client of the entry of nothing that it shows for a free port.
    pub(super) nobody: Option<&'static str>,
    /// What becomes of any lease but 0.
    pub(super) refuses_leases: Option<Fault>,
    /// What becomes of the next actions of that name.
    pub(super) faults: Vec<(&'static str, Fault)>,
    /// The actions in the order in which they came.
    pub(super) calls: Vec<String>,
    /// The external ports that were to be added.
    pub(super) asked: Vec<u16>,
    pub(super) searches: usize,
}

impl Router {
    pub(super) fn new() -> Self {
        Self {
            table: BTreeMap::new(),
            external: "20.0.0.1".into(),
            allowed: 0..=65535,
            http_port: 5000,
            up: true,
            has_no_service: false,
            is_secure: false,
            deaf: false,
            loses: 0,
            status: "Connected",
            server: "Router/1.0",
            rewrite: |_| {},
            nobody: None,
            refuses_leases: None,
            faults: Vec::new(),
            calls: Vec::new(),
            asked: Vec::new(),
            searches: 0,
        }
    }

    pub(super) fn with_entry(mut self, port: u16, client: &str, internal: u16, description: &str) -> Self {
        let (client, description) = (client.into(), description.into());
        self.table.insert(port, Entry { client, port: internal, description, lease: 3_600 });
        self
    }

    /// `None`: never answers.
    pub(super) fn answer(&mut self, exchange: &Exchange) -> Option<Vec<u8>> {
        let request = String::from_utf8(exchange.request.clone()).expect("requests are ASCII");
        if request.starts_with("GET /description.xml ") {
            return Some(ok(if self.has_no_service { "<root><device/></root>" } else { DESCRIPTION }));
        }
        let header = request.lines().find_map(|line| line.strip_prefix("SOAPAction: \""));
        let action = header.and_then(|header| header.trim_end_matches('"').split('#').nth(1));
        let action = action.expect("every other request is an action").to_owned();
        self.calls.push(action.clone());
        let (_, body) = request.split_once("\r\n\r\n").expect("a head and a body");
        if action == "AddPortMapping" {
            self.asked.push(arguments(body)["NewExternalPort"].parse().expect("a port"));
        }
        let at = self.faults.iter().position(|(name, _)| *name == action);
        let refuses = |this: &Self| {
            let has_lease = action == "AddPortMapping" && arguments(body)["NewLeaseDuration"] != "0";
            this.refuses_leases.filter(|_| has_lease)
        };
        match at.map(|at| self.faults.remove(at).1).or_else(|| refuses(self)) {
            None if self.is_anothers(&action, &arguments(body), exchange) => Some(fault(606)),
            None => Some(self.act(&action, &arguments(body))),
            Some(Fault::Silence) => None,
            Some(Fault::Code(code)) => Some(fault(code)),
            Some(Fault::Lie(code)) => {
                self.act(&action, &arguments(body));
                Some(fault(code))
            }
            Some(Fault::Refused(status)) => {
                Some(format!("HTTP/1.1 {status} Oops\r\nContent-Length: 0\r\n\r\n").into_bytes())
            }
            Some(Fault::LostReply) => {
                self.act(&action, &arguments(body));
                None
            }
            Some(Fault::Status(status)) => {
                self.act(&action, &arguments(body));
                Some(format!("HTTP/1.1 {status} Oops\r\nContent-Length: 0\r\n\r\n").into_bytes())
            }
        }
    }

    fn is_anothers(&self, action: &str, arguments: &BTreeMap<String, String>, exchange: &Exchange) -> bool {
        let client = match action {
            "AddPortMapping" => Some(&arguments["NewInternalClient"]),
            "DeletePortMapping" => {
                let port: u16 = arguments["NewExternalPort"].parse().expect("a port");
                self.table.get(&port).map(|entry| &entry.client)
            }
            _ => None,
        };
        self.is_secure && client.is_some_and(|client| *client != exchange.source.to_string())
    }

    fn act(&mut self, action: &str, arguments: &BTreeMap<String, String>) -> Vec<u8> {
        let number = |name: &str| arguments[name].parse::<u32>().expect("a number");
        let port = || u16::try_from(number("NewExternalPort")).expect("a port");
        match action {
            "GetStatusInfo" => {
                done(action, &format!("<NewConnectionStatus>{}</NewConnectionStatus>", self.status))
            }
            "GetExternalIPAddress" => {
                done(action, &format!("<NewExternalIPAddress>{}</NewExternalIPAddress>", self.external))
            }
            "GetSpecificPortMappingEntry" => match self.table.get(&port()) {
                None => match self.nobody {
                    None => fault(714),
                    Some(client) => {
                        let (client, description) = (client.into(), String::new());
                        done(action, &Entry { client, port: 0, description, lease: 0 }.arguments())
                    }
                },
                Some(entry) => done(action, &entry.arguments()),
            },
            "DeletePortMapping" => match self.table.remove(&port()) {
                None => fault(714),
                Some(_) => done(action, ""),
            },
            "AddPortMapping" => {
                let mut entry = Entry {
                    client: arguments["NewInternalClient"].clone(),
                    port: u16::try_from(number("NewInternalPort")).expect("a port"),
                    description: arguments["NewPortMappingDescription"].clone(),
                    lease: number("NewLeaseDuration"),
                };
                if !self.allowed.contains(&port()) {
                    return fault(606);
                }
                if self.table.get(&port()).is_some_and(|held| held.client != entry.client) {
                    return fault(718);
                }
                (self.rewrite)(&mut entry);
                self.table.insert(port(), entry);
                done(action, "")
            }
            action => panic!("unexpected action {action}"),
        }
    }
}

impl Entry {
    fn arguments(&self) -> String {
        let Self { client, port, description, lease } = self;
        format!(
            "<NewInternalPort>{port}</NewInternalPort><NewInternalClient>{client}</NewInternalClient>\
             <NewEnabled>1</NewEnabled><NewPortMappingDescription>{description}</NewPortMappingDescription>\
             <NewLeaseDuration>{lease}</NewLeaseDuration>"
        )
    }
}

/// A mapper on a host whose other sessions hold `local` ports, and the time it lives in.
pub(super) struct Host {
    pub(super) mapper: Mapper,
    pub(super) now: Instant,
    pub(super) local: Vec<u16>,
    pub(super) reserved: Vec<u16>,
    pub(super) events: VecDeque<Event>,
    /// What was to be written down before it was asked for.
    pub(super) recorded: Vec<Record>,
}

impl Host {
    pub(super) fn new(mapper: Mapper, now: Instant) -> Self {
        Self {
            mapper,
            now,
            local: Vec::new(),
            reserved: Vec::new(),
            events: VecDeque::new(),
            recorded: Vec::new(),
        }
    }

    /// Lets everything happen that needs no time.
    pub(super) fn settle(&mut self, router: &mut Router) {
        while self.step(router) {}
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn advance(&mut self, router: &mut Router, time: Duration) {
        let end = self.now + time;
        self.settle(router);
        while let Some(at) = self.mapper.poll_timeout().filter(|&at| at <= end) {
            assert!(at >= self.now, "a deadline in the past is never handled");
            self.now = at;
            self.mapper.handle_timeout(at);
            self.settle(router);
        }
        self.now = end;
    }

    pub(super) fn step(&mut self, router: &mut Router) -> bool {
        let now = self.now;
        if let Some(transmit) = self.mapper.poll_transmit() {
            router.searches += 1;
            let to_router = transmit.destination.ip() == ROUTER.parse::<IpAddr>().expect("a literal");
            let is_lost = to_router && router.loses > 0;
            router.loses -= usize::from(is_lost);
            if router.up && !router.deaf && to_router && !is_lost {
                let from = SocketAddr::new(transmit.destination.ip(), 1900);
                self.mapper.handle_datagram(
                    Socket::Discovery,
                    from,
                    &answer(router.http_port, router.server),
                    now,
                );
            }
        } else if let Some(exchange) = self.mapper.poll_exchange() {
            if !router.up || exchange.destination.port() != router.http_port {
                self.mapper.handle_exchange(exchange.id, ExchangeInput::Broken, now);
            } else if let Some(answer) = router.answer(&exchange) {
                self.mapper.handle_exchange(exchange.id, ExchangeInput::Received(&answer), now);
            }
        } else if let Some(reservation) = self.mapper.poll_reservation() {
            match reservation {
                Reservation::Take(port) => {
                    let free = !self.local.contains(&port.get()) && !self.reserved.contains(&port.get());
                    if free {
                        self.reserved.push(port.get());
                    }
                    self.mapper.handle_reservation(port, free, now);
                }
                Reservation::Drop(port) => self.reserved.retain(|&held| held != port.get()),
            }
        } else if let Some(event) = self.mapper.poll_event() {
            match event {
                Event::Asked(record) => self.recorded.push(record),
                event => self.events.push_back(event),
            }
        } else {
            return self.mapper.poll_close().is_some();
        }
        true
    }
}

pub(super) fn answer(http_port: u16, server: &str) -> Vec<u8> {
    let device = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
    let head = format!("HTTP/1.1 200 OK\r\nST: {device}\r\nUSN: uuid:1::{device}\r\n");
    format!("{head}SERVER: {server}\r\nLOCATION: http://{ROUTER}:{http_port}/description.xml\r\n\r\n")
        .into_bytes()
}

const DESCRIPTION: &str = "<?xml version=\"1.0\"?><root><device><serviceList><service>\
    <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
    <controlURL>/control</controlURL></service></serviceList></device></root>";

fn arguments(body: &str) -> BTreeMap<String, String> {
    let elements = xml::elements(body.as_bytes()).expect("our own request can be read");
    elements.into_iter().map(|element| (element.name, element.text)).collect()
}

fn done(action: &str, arguments: &str) -> Vec<u8> {
    ok(&format!(
        "<s:Envelope><s:Body><u:{action}Response>{arguments}</u:{action}Response></s:Body></s:Envelope>"
    ))
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn fault(code: u16) -> Vec<u8> {
    let body = format!(
        "<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>{code}</errorCode></UPnPError></detail>\
         </s:Fault></s:Body></s:Envelope>"
    );
    format!("HTTP/1.1 500 Error\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
