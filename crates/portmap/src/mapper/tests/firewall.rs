//! A router with an IPv6 firewall that exists only as values: answers at once, and misbehaves as told.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::effects::{Exchange, ExchangeInput, Socket, Transmit};
use crate::mapper::{Event, Mapper, Record};
use crate::upnp::xml;

pub(super) const GATEWAY: &str = "fe80::1";
/// What it writes into its URLs.
pub(super) const NAMED: &str = "fd07::1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pinhole {
    pub(super) client: String,
    pub(super) port: String,
    pub(super) lease: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not performed, not answered.
    Silence,
    /// Performed, not answered.
    LostReply,
    /// Not performed, and answered with this UPnP error.
    Code(u16),
    /// Performed, and answered without any argument.
    NoArguments,
}

#[derive(Debug, Default)]
pub(super) struct Firewall {
    pub(super) pinholes: BTreeMap<u16, Pinhole>,
    pub(super) last_id: u16,
    /// What becomes of the next actions of that name.
    pub(super) faults: Vec<(&'static str, Fault)>,
    /// The actions in the order in which they came.
    pub(super) calls: Vec<String>,
    pub(super) searches: Vec<(SocketAddr, String)>,
    pub(super) switched_off: bool,
}

impl Firewall {
    /// As after a restart: nothing is known, and counting begins anew.
    pub(super) fn forget(&mut self) {
        (self.pinholes, self.last_id) = (BTreeMap::new(), 0);
    }

    /// `None`: never answers.
    fn answer(&mut self, exchange: &Exchange) -> Option<Vec<u8>> {
        assert_eq!(exchange.destination.ip().to_string(), NAMED);
        let request = String::from_utf8(exchange.request.clone()).expect("requests are ASCII");
        if request.starts_with("GET /description.xml ") {
            return Some(ok(DESCRIPTION));
        }
        let header = request.lines().find_map(|line| line.strip_prefix("SOAPAction: \""));
        let action = header.and_then(|header| header.trim_end_matches('"').split('#').nth(1));
        let action = action.expect("every other request is an action").to_owned();
        self.calls.push(action.clone());
        let (_, body) = request.split_once("\r\n\r\n").expect("a head and a body");
        let elements = xml::elements(body.as_bytes()).expect("our own request can be read");
        let arguments = elements.into_iter().map(|element| (element.name, element.text)).collect();
        let at = self.faults.iter().position(|(name, _)| *name == action);
        match at.map(|at| self.faults.remove(at).1) {
            Some(Fault::Silence) => None,
            Some(Fault::Code(code)) => Some(fault(code)),
            Some(Fault::LostReply) => {
                self.act(&action, &arguments, exchange.source);
                None
            }
            Some(Fault::NoArguments) => {
                self.act(&action, &arguments, exchange.source);
                Some(done(&action, ""))
            }
            None => Some(self.act(&action, &arguments, exchange.source)),
        }
    }

    fn act(&mut self, action: &str, arguments: &BTreeMap<String, String>, source: IpAddr) -> Vec<u8> {
        let number = |name: &str| arguments[name].parse::<u32>().expect("a number");
        let id = || u16::try_from(number("UniqueID")).expect("an id");
        match action {
            "GetFirewallStatus" => {
                let enabled = u8::from(!self.switched_off);
                let status = format!("<FirewallEnabled>{enabled}</FirewallEnabled>");
                done(action, &(status + "<InboundPinholeAllowed>1</InboundPinholeAllowed>"))
            }
            "AddPinhole" if self.switched_off => fault(702),
            "AddPinhole" if arguments["InternalClient"] != source.to_string() => fault(606),
            "AddPinhole" => {
                let pinhole = Pinhole {
                    client: arguments["InternalClient"].clone(),
                    port: arguments["InternalPort"].clone(),
                    lease: number("LeaseTime"),
                };
                let id = self.add(pinhole);
                done(action, &format!("<UniqueID>{id}</UniqueID>"))
            }
            "UpdatePinhole" => match self.pinholes.get_mut(&id()) {
                None => fault(704),
                Some(pinhole) => {
                    pinhole.lease = number("NewLeaseTime");
                    done(action, "")
                }
            },
            "DeletePinhole" => match self.pinholes.remove(&id()) {
                None => fault(704),
                Some(_) => done(action, ""),
            },
            action => panic!("unexpected action {action}"),
        }
    }

    /// An equal one keeps its number.
    pub(super) fn add(&mut self, new: Pinhole) -> u16 {
        let same = |pinhole: &Pinhole| (&pinhole.client, &pinhole.port) == (&new.client, &new.port);
        let held = self.pinholes.iter().find(|(_, pinhole)| same(pinhole)).map(|(id, _)| *id);
        let id = held.unwrap_or_else(|| {
            self.last_id += 1;
            self.last_id
        });
        self.pinholes.insert(id, new);
        id
    }
}

/// A mapper behind the firewall, and the time it lives in.
pub(super) struct Inside {
    pub(super) mapper: Mapper,
    pub(super) now: Instant,
    pub(super) events: VecDeque<Event>,
    /// What was to be written down before it was asked for.
    pub(super) recorded: Vec<Record>,
    /// To the port of PCP.
    pub(super) asked: Vec<Transmit>,
}

impl Inside {
    pub(super) fn new(mapper: Mapper, now: Instant) -> Self {
        Self { mapper, now, events: VecDeque::new(), recorded: Vec::new(), asked: Vec::new() }
    }

    /// Lets everything happen that needs no time.
    pub(super) fn settle(&mut self, firewall: &mut Firewall) {
        while self.step(firewall) {}
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn advance(&mut self, firewall: &mut Firewall, time: Duration) {
        let end = self.now + time;
        self.settle(firewall);
        while let Some(at) = self.mapper.poll_timeout().filter(|&at| at <= end) {
            assert!(at >= self.now, "a deadline in the past is never handled");
            self.now = at;
            self.mapper.handle_timeout(at);
            self.settle(firewall);
        }
        self.now = end;
    }

    fn step(&mut self, firewall: &mut Firewall) -> bool {
        if let Some(transmit) = self.mapper.poll_transmit() {
            self.send(transmit, firewall);
        } else if let Some(exchange) = self.mapper.poll_exchange() {
            if let Some(answer) = firewall.answer(&exchange) {
                self.mapper.handle_exchange(exchange.id, ExchangeInput::Received(&answer), self.now);
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

    fn send(&mut self, transmit: Transmit, firewall: &mut Firewall) {
        if transmit.socket != Socket::Discovery {
            return self.asked.push(transmit);
        }
        let text = String::from_utf8(transmit.payload).expect("searches are ASCII");
        let target = text.lines().find_map(|line| line.strip_prefix("ST: ")).expect("a target");
        firewall.searches.push((transmit.destination, target.to_owned()));
        let gateway = GATEWAY.parse::<IpAddr>().expect("a literal");
        if transmit.destination.ip() == gateway {
            let from = SocketAddr::new(gateway, 1900);
            self.mapper.handle_datagram(Socket::Discovery, from, ANSWER.as_bytes(), self.now);
        }
    }
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
                      USN: uuid:1::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
                      LOCATION: http://[fd07::1]:5000/description.xml\r\n\r\n";

/// A service for each family, as usual.
const DESCRIPTION: &str = "<?xml version=\"1.0\"?><root><device><serviceList><service>\
    <serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType>\
    <controlURL>/connection</controlURL></service><service>\
    <serviceType>urn:schemas-upnp-org:service:WANIPv6FirewallControl:1</serviceType>\
    <controlURL>/firewall</controlURL></service></serviceList></device></root>";

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
