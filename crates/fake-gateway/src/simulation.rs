//! The gateway without sockets, in a time of its own: an hour of a mapping's life takes milliseconds.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use net::clock;
use portmap::control_port::SERVER_PORT;
use portmap::effects::{Exchange, ExchangeId, ExchangeInput, Reservation, Socket, Transmit};
use portmap::mapper::{Event, Mapper};
use portmap::upnp::ssdp;

use crate::builder::{Protocol, Settings};
use crate::control_port;
use crate::counters::Counters;
use crate::fault::Fault;
use crate::gateway::Restart;
use crate::server::{End, Outgoing, Plan};
use crate::state::State;
use crate::table::Mapping;
use crate::upnp;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const HTTP_PORT: u16 = 5000;

/// Of the client, whoever asks.
const EPHEMERAL_PORT: u16 = 40_000;

/// One gateway and one host's mapper.
///
/// No other host asks, and every port of the host is free. Multicast searches are not heard.
#[derive(Debug)]
pub struct Simulation {
    state: State,
    host: IpAddr,
    now: Instant,
    /// Of each answer.
    latency: Duration,
    is_reachable: bool,
    /// How long a datagram to the server of NAT-PMP and PCP waits for its turn.
    queue: Duration,
    /// With the address that the host had.
    queued: Vec<(Instant, IpAddr, Transmit)>,
    arriving: Vec<(Instant, Arriving)>,
}

/// What is on its way to the host.
#[derive(Debug, Clone)]
enum Arriving {
    Datagram { socket: Socket, from: SocketAddr, payload: Vec<u8> },
    Bytes(ExchangeId, Vec<u8>),
    End(ExchangeId),
    Reset(ExchangeId),
}

impl Simulation {
    pub(crate) fn new(settings: Settings, host: Ipv4Addr) -> Self {
        let now = clock::now();
        let state = State::new(settings, GATEWAY, HTTP_PORT, now);
        let host = host.into();
        let (latency, queue) = (Duration::ZERO, Duration::ZERO);
        let (queued, arriving) = (Vec::new(), Vec::new());
        Self { state, host, now, latency, is_reachable: true, queue, queued, arriving }
    }

    /// How long each answer takes, beside what a fault adds.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    #[must_use]
    pub fn address(&self) -> IpAddr {
        GATEWAY.into()
    }

    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    pub fn script(&mut self, fault: Fault) {
        self.state.script.push(fault);
    }

    /// Answers rightly from now on.
    pub fn clear_script(&mut self) {
        self.state.script.clear();
    }

    /// Gives the host another address. What is on its way to the old one is lost; the mapper has to be told.
    pub fn move_host(&mut self, host: Ipv4Addr) {
        self.host = host.into();
        self.arriving.clear();
    }

    /// What is sent to the server of NAT-PMP and PCP from now on waits so long before it is performed, as where many
    /// others have asked before. UPnP is answered at once.
    pub fn queue(&mut self, time: Duration) {
        self.queue = time;
    }

    /// Whether the gateway is there; what is asked meanwhile is lost.
    pub fn set_reachable(&mut self, is_reachable: bool) {
        self.is_reachable = is_reachable;
    }

    /// As [`FakeGateway::restart`](crate::FakeGateway::restart).
    pub fn restart(&mut self, restart: Restart) {
        self.state.restart(self.state.http_port + 1, self.now);
        if restart == Restart::Forget {
            self.state.table.clear();
        }
        let open: BTreeSet<_> = self.arriving.drain(..).filter_map(|(_, it)| it.exchange()).collect();
        self.arriving.extend(open.into_iter().map(|id| (self.now, Arriving::Reset(id))));
    }

    /// As [`FakeGateway::announce`](crate::FakeGateway::announce).
    pub fn announce(&mut self) {
        let notifications = upnp::notifications(&self.state).into_iter();
        let announcements = control_port::announcements(&self.state, self.now).into_iter();
        let all = (notifications.filter(|_| self.state.speaks(Protocol::Upnp)))
            .map(|payload| (Socket::Notifications, ssdp::MULTICAST.port(), payload))
            .chain(announcements.map(|payload| (Socket::Announcements, SERVER_PORT, payload)));
        for (socket, port, payload) in all {
            let from = SocketAddr::new(GATEWAY.into(), port);
            self.arriving.push((self.now, Arriving::Datagram { socket, from, payload }));
        }
    }

    /// Puts an entry into the table, in the place of what is there.
    pub fn insert(&mut self, mapping: Mapping) {
        self.state.table.insert(mapping, None, self.now);
    }

    /// The table, by transport and external port.
    #[must_use]
    pub fn mappings(&self) -> Vec<Mapping> {
        self.state.table.mappings().cloned().collect()
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.state.counters
    }

    /// Lets time pass, deadline by deadline, and hands over what the mapper tells as it tells it.
    ///
    /// # Panics
    /// The mapper wants to be called in the past, or again and again without an end.
    pub fn advance(&mut self, mapper: &mut Mapper, time: Duration, mut told: impl FnMut(Event)) {
        let end = self.now + time;
        loop {
            self.settle(mapper, &mut told);
            let arriving = self.arriving.iter().map(|(at, _)| *at);
            let arriving = arriving.chain(self.queued.iter().map(|(at, ..)| *at));
            let Some(at) = arriving.chain(mapper.poll_timeout()).min().filter(|at| *at <= end) else { break };
            assert!(at >= self.now, "a deadline in the past is never handled");
            self.now = at;
            self.perform_queued();
            self.arrive(mapper);
            mapper.handle_timeout(at);
        }
        self.now = end;
    }

    /// What needs no time.
    fn settle(&mut self, mapper: &mut Mapper, told: &mut impl FnMut(Event)) {
        loop {
            if let Some(transmit) = mapper.poll_transmit() {
                self.queue_or_hear(transmit);
            } else if let Some(exchange) = mapper.poll_exchange() {
                self.answer(&exchange);
            } else if let Some(closed) = mapper.poll_close() {
                self.arriving.retain(|(_, arriving)| arriving.exchange() != Some(closed));
            } else if let Some(reservation) = mapper.poll_reservation() {
                if let Reservation::Take(port) = reservation {
                    mapper.handle_reservation(port, true, self.now);
                }
            } else if let Some(event) = mapper.poll_event() {
                told(event);
            } else {
                return;
            }
        }
    }

    /// Behind all that waits already.
    fn queue_or_hear(&mut self, transmit: Transmit) {
        let last = self.queued.last().map_or(self.now, |(at, ..)| *at);
        let at = last.max(self.now + self.queue);
        match transmit.socket {
            Socket::Control if at > self.now => self.queued.push((at, self.host, transmit)),
            _ => self.hear(self.host, transmit),
        }
    }

    fn perform_queued(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.queued.extract_if(.., |(at, ..)| *at <= now).collect();
        due.into_iter().for_each(|(_, host, transmit)| self.hear(host, transmit));
    }

    fn hear(&mut self, host: IpAddr, transmit: Transmit) {
        if transmit.destination.ip() != self.address() || !self.is_reachable {
            return;
        }
        let from = SocketAddr::new(host, EPHEMERAL_PORT);
        let outgoing = match transmit.socket {
            Socket::Notifications => return,
            Socket::Discovery if !self.state.speaks(Protocol::Upnp) => return,
            Socket::Discovery => {
                upnp::answer_search(&mut self.state, from, &transmit.payload, false, self.now)
            }
            Socket::Control | Socket::Announcements => {
                control_port::answer(&mut self.state, from, &transmit.payload, self.now)
            }
        };
        for Outgoing { port, from, payload, delay, .. } in outgoing.into_iter().filter(|_| host == self.host)
        {
            let socket = if port == ssdp::MULTICAST.port() { Socket::Discovery } else { transmit.socket };
            let from = from.unwrap_or_else(|| SocketAddr::new(self.address(), port));
            self.arriving
                .push((self.now + self.latency + delay, Arriving::Datagram { socket, from, payload }));
        }
    }

    fn answer(&mut self, exchange: &Exchange) {
        let mut request = upnp::RawRequest::default();
        request.push(&exchange.request);
        let peer = SocketAddr::new(self.host, EPHEMERAL_PORT);
        if exchange.source != self.host {
            return self.arriving.push((self.now, Arriving::Reset(exchange.id)));
        }
        if !self.is_reachable {
            return;
        }
        let plan = match exchange.destination == SocketAddr::new(self.address(), self.state.http_port) {
            true => upnp::answer_request(&mut self.state, peer, &request, self.now),
            false => return self.arriving.push((self.now, Arriving::Reset(exchange.id))),
        };
        self.write(exchange.id, &plan);
    }

    fn write(&mut self, id: ExchangeId, plan: &Plan) {
        let mut at = self.now + self.latency + plan.delay;
        let piece = if plan.pace.is_some() { 1 } else { plan.bytes.len().max(1) };
        for bytes in plan.bytes.chunks(piece) {
            self.arriving.push((at, Arriving::Bytes(id, bytes.to_vec())));
            at += plan.pace.unwrap_or_default();
        }
        match plan.end {
            _ if plan.endless => {}
            End::Close => self.arriving.push((at, Arriving::End(id))),
            End::Reset => self.arriving.push((at, Arriving::Reset(id))),
            End::HoldOpen => {}
        }
    }

    /// In the order in which it was sent.
    fn arrive(&mut self, mapper: &mut Mapper) {
        let now = self.now;
        let due: Vec<_> = self.arriving.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, arriving) in due {
            match arriving {
                Arriving::Datagram { socket, from, payload } => {
                    mapper.handle_datagram(socket, from, &payload, now);
                }
                Arriving::Bytes(id, bytes) => {
                    mapper.handle_exchange(id, ExchangeInput::Received(&bytes), now);
                }
                Arriving::End(id) => mapper.handle_exchange(id, ExchangeInput::Ended, now),
                Arriving::Reset(id) => mapper.handle_exchange(id, ExchangeInput::Broken, now),
            }
        }
    }
}

impl Arriving {
    fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Datagram { .. } => None,
            Self::Bytes(id, _) | Self::End(id) | Self::Reset(id) => Some(*id),
        }
    }
}
