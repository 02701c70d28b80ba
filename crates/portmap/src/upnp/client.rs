//! Speaks UPnP IGD about one mapping: finds the gateways, takes the best service, adds, verifies, deletes.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::attempt::{Attempt, Failure, Next, Step};
use super::exchanges::{Exchanges, NoReply};
use super::gateway::{Connection, Gateway};
use super::http::{self, Reply};
use super::search::{SEARCH_WINDOW, Search};
use super::soap::{self, Call};
use super::url::Url;
use super::{description, ssdp};
use crate::client::{Absence, Event, Grant, Refusal, Request};
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Transmit};
use crate::mapping::Transport;

/// Answers from more locations than this are noise, or an attack.
const GATEWAYS_MAXIMUM: usize = 8;

/// How long better gateways may still answer once a usable one has been assessed. A LAN's round trip is a few
/// milliseconds; a mesh node often answers before the router does.
const SETTLE: Duration = Duration::from_millis(100);

/// Where a service is controlled: enough to ask it again without a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    pub gateway: IpAddr,
    pub url: Url,
    /// As the router wrote it.
    pub service_type: String,
    pub external_address: Option<IpAddr>,
}

#[derive(Debug)]
enum Question {
    Description { gateway: usize },
    Status { gateway: usize, connection: usize },
    ExternalAddress { gateway: usize, connection: usize },
    Step(Step),
}

#[derive(Debug)]
pub struct Client {
    internal: IpAddr,
    default_gateway: Option<IpAddr>,
    description: String,
    search_window: Duration,
    remembered: Option<Control>,
    search: Option<Search>,
    gateways: Vec<Gateway>,
    settles: Option<Instant>,
    control: Option<Control>,
    attempt: Option<Attempt>,
    exchanges: Exchanges<Question>,
    events: VecDeque<Event>,
    now: Instant,
}

impl Client {
    /// `internal` is this host's address on the gateway's link, `description` what the mapping is called in the
    /// router's table (ASCII, at most 60 characters).
    #[must_use]
    pub fn new(internal: IpAddr, default_gateway: Option<IpAddr>, description: String, now: Instant) -> Self {
        Self {
            internal,
            default_gateway,
            description,
            search_window: SEARCH_WINDOW,
            remembered: None,
            search: None,
            gateways: Vec::new(),
            settles: None,
            control: None,
            attempt: None,
            exchanges: Exchanges::new(internal),
            events: VecDeque::new(),
            now,
        }
    }

    /// How long silence is waited through, instead of [`SEARCH_WINDOW`].
    #[must_use]
    pub fn with_search_window(mut self, window: Duration) -> Self {
        self.search_window = window;
        self
    }

    /// Where a gateway was found on this network before: asked beside the search, and trusted no further than its
    /// answer.
    #[must_use]
    pub fn with_remembered(mut self, control: Option<Control>) -> Self {
        self.remembered = control;
        self
    }

    /// Takes up where another client left off, without a search.
    pub fn take_control(&mut self, control: Control) {
        self.control = Some(control);
    }

    /// The service in use, once [`Event::Available`] was told.
    #[must_use]
    pub fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// Searches for gateways; answered by [`Event::Available`] or [`Event::Absent`] within about
    /// [`SEARCH_WINDOW`] and, where a gateway answers slowly, twice the
    /// [`EXCHANGE_TIMEOUT`](super::exchanges::EXCHANGE_TIMEOUT).
    pub fn probe(&mut self, now: Instant) {
        self.now = now;
        self.abandon();
        self.control = None;
        self.search = Some(Search::new(self.default_gateway, self.search_window, now));
        if let Some(control) = self.remembered.clone() {
            self.gateways.push(Gateway::remembered(control.url, control.service_type));
            self.assess_connection(0, 0);
        }
    }

    /// Stops whatever is under way, without a word.
    pub fn abandon(&mut self) {
        self.exchanges.abandon();
        self.search = None;
        self.attempt = None;
        self.settles = None;
        self.gateways.clear();
    }

    /// Asks for the mapping, or for more time for the one that is held: looks who has the port, adds, and reads
    /// the entry back. Answered by [`Event::Granted`] or [`Event::Refused`].
    pub fn request(&mut self, request: &Request, now: Instant) {
        self.begin(Attempt::to_obtain(request.clone(), self.internal, self.description.clone()), now);
    }

    /// Looks whether the mapping is still there, and obtains it where it is not. Answered by [`Event::Confirmed`], or
    /// as a [`request`](Self::request) is.
    pub fn check(&mut self, request: &Request, now: Instant) {
        self.begin(Attempt::to_check(request.clone(), self.internal, self.description.clone()), now);
    }

    /// Deletes the mapping if the router's table still says that it is ours; answered by [`Event::Released`].
    pub fn release(&mut self, grant: &Grant, transport: Transport, now: Instant) {
        if let Some(attempt) = &mut self.attempt {
            return attempt.turn_to_release();
        }
        self.begin(Attempt::to_release(grant, transport, self.internal, self.description.clone()), now);
    }

    pub fn handle_datagram(&mut self, from: SocketAddr, payload: &[u8], now: Instant) {
        self.now = now;
        let message = match ssdp::parse(payload) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(%from, %error, "not an SSDP message"),
        };
        if self.search.is_none() || !message.names_gateway() {
            return;
        }
        let Some(location) = message.location.as_deref().and_then(|text| Url::parse(text).ok()) else {
            return tracing::debug!(%from, "a gateway without a usable location");
        };
        self.discover(from.ip(), location);
    }

    pub fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        self.now = now;
        if let Some((question, reply)) = self.exchanges.handle_input(id, input) {
            self.answer(question, reply);
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        while let Some(question) = self.exchanges.next_expired(now) {
            self.answer(question, Err(NoReply));
        }
        if let Some(search) = &mut self.search {
            search.handle_timeout(now);
        }
        self.choose();
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.search.as_mut()?.poll_transmit()
    }

    pub fn poll_exchange(&mut self) -> Option<Exchange> {
        self.exchanges.poll_start()
    }

    pub fn poll_close(&mut self) -> Option<ExchangeId> {
        self.exchanges.poll_close()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let search = self.search.as_ref().and_then(Search::poll_timeout);
        [search, self.settles, self.exchanges.poll_timeout()].into_iter().flatten().min()
    }

    fn discover(&mut self, from: IpAddr, location: Url) {
        let Some(location) = self.located(from, location) else { return };
        let known = self.gateways.iter().any(|gateway| gateway.location == location);
        if known || self.gateways.len() == GATEWAYS_MAXIMUM {
            return;
        }
        if let Some(search) = &mut self.search {
            search.answered();
        }
        let question = Question::Description { gateway: self.gateways.len() };
        self.exchanges.start(&location, http::get(&location), question, self.now);
        self.gateways.push(Gateway::new(location));
    }

    /// Security: a description on another host would make us request anything from anywhere. So it must be on the
    /// one that answered, or on the default gateway, for which a twin of it may answer (CARP, VRRP); and where the
    /// default gateway names another host, it means itself (tailscale#5502).
    fn located(&self, from: IpAddr, location: Url) -> Option<Url> {
        let is_default = |address: IpAddr| Some(address) == self.default_gateway;
        if location.served_by(from) || is_default(location.host()) {
            return Some(location);
        }
        tracing::debug!(%from, %location, "a location on another host than the one that answered");
        is_default(from).then(|| location.at(from))
    }

    fn answer(&mut self, question: Question, reply: Result<Reply, NoReply>) {
        match question {
            Question::Description { gateway } => self.describe(gateway, reply),
            Question::Status { gateway, connection } => {
                let status = arguments(reply).ok().and_then(|reply| soap::connection_status(&reply).ok());
                let connected = status.map(|status| status == soap::ConnectionStatus::Connected);
                self.assess(gateway, connection, |connection| connection.connected = connected);
            }
            Question::ExternalAddress { gateway, connection } => {
                let address = arguments(reply).ok().and_then(|reply| soap::external_ip_address(&reply).ok());
                let address = address.flatten();
                self.assess(gateway, connection, |connection| connection.external_address = address);
            }
            Question::Step(step) => self.advance(step, arguments(reply)),
        }
    }

    fn describe(&mut self, index: usize, reply: Result<Reply, NoReply>) {
        let gateway = &mut self.gateways[index];
        let services = match reply {
            Ok(reply) if reply.status == 200 => {
                description::parse(&reply.body, &gateway.location).map(|parsed| parsed.services)
            }
            _ => Ok(Vec::new()),
        };
        gateway.describe(services.unwrap_or_default());
        // Security: as for the location, so for what it leads to.
        let address = gateway.location.host();
        gateway.connections.retain(|connection| connection.service.control_url.served_by(address));
        for connection in 0..self.gateways[index].connections.len() {
            self.assess_connection(index, connection);
        }
        self.choose();
    }

    /// Both questions at once; the address is read before anything is added, so that a router which cannot tell
    /// it is not left with a mapping (tailscale#20781).
    fn assess_connection(&mut self, gateway: usize, connection: usize) {
        let Connection { service, .. } = &self.gateways[gateway].connections[connection];
        let url = service.control_url.clone();
        let status = soap::get_status_info(&service.service_type);
        let address = soap::get_external_ip_address(&service.service_type);
        self.call(&url, &status, Question::Status { gateway, connection });
        self.call(&url, &address, Question::ExternalAddress { gateway, connection });
    }

    fn assess(&mut self, gateway: usize, connection: usize, learn: impl FnOnce(&mut Connection)) {
        let connection = &mut self.gateways[gateway].connections[connection];
        connection.unanswered -= 1;
        learn(connection);
        self.choose();
    }

    /// Takes the best service as soon as nothing better can come, or nothing better came in time.
    fn choose(&mut self) {
        let Some(search) = &self.search else { return };
        let searching = !search.is_over();
        let assessing = !self.gateways.iter().all(Gateway::is_assessed);
        let ranked = self.gateways.iter().flat_map(|gateway| {
            let is_default = Some(gateway.address()) == self.default_gateway;
            gateway.usable().map(move |connection| (connection.rank(is_default), gateway, connection))
        });
        let Some((rank, gateway, connection)) = ranked.min_by_key(|(rank, ..)| *rank) else {
            if !searching && !assessing {
                self.conclude_search_without_gateway();
            }
            return;
        };
        let settles = *self.settles.get_or_insert(self.now + SETTLE);
        let settled = self.now >= settles || (!searching && !assessing);
        let unsurpassable = rank.is_best() && connection.is_assessed();
        if !unsurpassable && !settled {
            return;
        }
        let control = Control {
            gateway: gateway.address(),
            url: connection.service.control_url.clone(),
            service_type: connection.service.service_type.clone(),
            external_address: connection.external_address,
        };
        self.conclude_search(Event::Available { external_address: control.external_address });
        self.control = Some(control);
    }

    fn conclude_search_without_gateway(&mut self) {
        let absence = match self.gateways.iter().find(|gateway| !gateway.remembered) {
            Some(gateway) => Absence::NoService(gateway.location.socket_address()),
            None => Absence::NoAnswer,
        };
        self.conclude_search(Event::Absent(absence));
    }

    fn conclude_search(&mut self, event: Event) {
        self.search = None;
        self.settles = None;
        self.exchanges.abandon();
        self.events.push_back(event);
    }

    fn begin(&mut self, (attempt, first): (Attempt, Step), now: Instant) {
        self.now = now;
        self.attempt = Some(attempt);
        self.ask(first);
    }

    fn ask(&mut self, step: Step) {
        let (Some(attempt), Some(control)) = (&self.attempt, self.control.clone()) else {
            return self.conclude_attempt(Event::Refused(Refusal::NoAnswer));
        };
        let call = attempt.call(step, &control.service_type);
        self.call(&control.url, &call, Question::Step(step));
    }

    fn call(&mut self, url: &Url, call: &Call, question: Question) {
        let request = http::post(url, &call.action_header, &call.body);
        self.exchanges.start(url, request, question, self.now);
    }

    fn advance(&mut self, step: Step, reply: Result<soap::Reply, Failure>) {
        let Some(attempt) = &mut self.attempt else { return };
        match attempt.advance(step, reply) {
            Next::Ask(step) => self.ask(step),
            Next::Granted { port, lease } => {
                let grant = Grant {
                    external_address: self.control.as_ref().and_then(|control| control.external_address),
                    external_port: port,
                    internal_port: attempt.request().internal_port,
                    lease,
                };
                self.conclude_attempt(Event::Granted(grant));
            }
            Next::Confirmed => self.conclude_attempt(Event::Confirmed),
            Next::Refused(refusal) => self.conclude_attempt(Event::Refused(refusal)),
            Next::Released { confirmed } => self.conclude_attempt(Event::Released { confirmed }),
        }
    }

    fn conclude_attempt(&mut self, event: Event) {
        self.attempt = None;
        self.events.push_back(event);
    }
}

fn arguments(reply: Result<Reply, NoReply>) -> Result<soap::Reply, Failure> {
    let reply = reply.map_err(|NoReply| Failure::NoReply)?;
    soap::parse_reply(reply.status, &reply.body).map_err(Failure::Fault)
}
