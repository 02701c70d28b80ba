//! A host whose mapper gets what the bytes say from every router that it asks.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use portmap::effects::{Exchange, ExchangeInput, Reservation, Socket};
use portmap::mapper::{Event, External, Mapper, Protocol, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::{pcp, upnp};

const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 1));
const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 10));

/// Two questions to each of eight services of each of eight locations are the most that are asked at once.
const EXCHANGES_MAXIMUM: usize = 8 + 8 * 8 * 2;
/// A silent router is given up long before.
const STEPS_MAXIMUM: usize = 5_000;

pub struct Host {
    mapper: Mapper,
    now: Instant,
    open: VecDeque<Exchange>,
    ended: bool,
}

impl Host {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let settings = Settings {
            internal: HOST,
            gateway: Some(ROUTER),
            protocols: Protocol::ALL.to_vec(),
            remembered: None,
            description: "moshpunch alice@server 1a2b3c4d".into(),
            lease: Duration::from_secs(3_600),
            only_this_lease: false,
            search_window: upnp::SEARCH_WINDOW,
            nonce: pcp::Nonce(*b"twelve bytes"),
            seed: 1,
        };
        let mut mapper = Mapper::new(settings, now);
        let port = |number| NonZeroU16::new(number).expect("not zero");
        let external = External::Within(port(60001)..=port(60003));
        mapper.map(Wanted { transport: Transport::Udp, internal_port: port(60001), external }, now);
        Self { mapper, now, open: VecDeque::new(), ended: false }
    }

    /// With nothing in it, time passes. A word and a colon make it a datagram, or the refusal of one; else it
    /// is the reply to the longest open exchange, or a search reply.
    pub fn receive(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            self.wait();
        } else if let Some(payload) = piece.strip_prefix(b"control:") {
            self.hear(Socket::Control, 5351, payload);
        } else if let Some(payload) = piece.strip_prefix(b"announcement:") {
            self.hear(Socket::Announcements, 5351, payload);
        } else if piece.starts_with(b"unreachable:") {
            self.mapper.handle_unreachable(Socket::Control, self.now);
        } else if let Some(exchange) = self.open.pop_front() {
            self.mapper.handle_exchange(exchange.id, ExchangeInput::Received(piece), self.now);
            self.mapper.handle_exchange(exchange.id, ExchangeInput::Ended, self.now);
        } else {
            self.hear(Socket::Discovery, 1900, piece);
        }
        self.settle();
    }

    /// With a router that has fallen silent, the end comes by itself.
    pub fn release(mut self) {
        self.mapper.release(self.now);
        self.settle();
        for _ in 0..STEPS_MAXIMUM {
            if self.ended {
                return;
            }
            self.wait();
            self.settle();
        }
        panic!("{STEPS_MAXIMUM} deadlines after the release, and no end");
    }

    fn hear(&mut self, socket: Socket, port: u16, payload: &[u8]) {
        self.mapper.handle_datagram(socket, SocketAddr::new(ROUTER, port), payload, self.now);
    }

    fn wait(&mut self) {
        let Some(at) = self.mapper.poll_timeout() else { return };
        self.now = self.now.max(at);
        self.mapper.handle_timeout(self.now);
    }

    fn settle(&mut self) {
        for _ in 0..STEPS_MAXIMUM {
            if !self.step() {
                return;
            }
        }
        panic!("{STEPS_MAXIMUM} effects at one time");
    }

    fn step(&mut self) -> bool {
        if self.mapper.poll_transmit().is_some() {
            return true;
        }
        if let Some(exchange) = self.mapper.poll_exchange() {
            check(&exchange);
            self.open.push_back(exchange);
            assert!(self.open.len() <= EXCHANGES_MAXIMUM, "{} exchanges at once", self.open.len());
        } else if let Some(id) = self.mapper.poll_close() {
            self.open.retain(|exchange| exchange.id != id);
        } else if let Some(reservation) = self.mapper.poll_reservation() {
            if let Reservation::Take(port) = reservation {
                self.mapper.handle_reservation(port, true, self.now);
            }
        } else if let Some(event) = self.mapper.poll_event() {
            self.ended |= matches!(event, Event::Failed(_) | Event::Released { .. });
        } else {
            return false;
        }
        true
    }
}

/// What a router says decides what is requested; but never from whom, nor a header.
fn check(exchange: &Exchange) {
    assert_eq!((exchange.source, exchange.destination.ip()), (HOST, ROUTER));
    let request = std::str::from_utf8(&exchange.request).expect("a request is text");
    let (head, body) = request.split_once("\r\n\r\n").expect("a request has a head");
    let names: Vec<&str> = head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    match head.starts_with("GET ") {
        true => assert_eq!(names, ["Host", "Connection"]),
        false => assert_eq!(names, ["Host", "Content-Type", "SOAPAction", "Content-Length", "Connection"]),
    }
    assert!(!body.contains("<NewExternalPort>0<"), "port 0 forwards everything");
}
