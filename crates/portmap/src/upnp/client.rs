//! Speaks UPnP IGD about one mapping, or one pinhole: finds the gateways, takes the best service, adds, verifies,
//! deletes.

mod assessment;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::answer::{Failure, Next};
use super::attempt::{self, Check, KnownLeases, Listing};
use super::control::Control;
use super::dialogue::{self, Dialogue, Step};
use super::exchanges::{Exchanges, IfBroken, NoReply};
use super::gateway::{Found, Gateway};
use super::http::{self, Reply};
use super::location::Surroundings;
use super::presence::{Presence, Sign};
use super::search::{SEARCH_WINDOW, Search};
use super::soap::{self, Call};
use super::ssdp;
use super::url::Url;
use crate::address::Network;
use crate::client::{Event, Grant, Refusal, Request};
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Transmit};
use crate::mapping::Transport;

#[derive(Debug)]
enum Question {
    Description {
        gateway: usize,
    },
    Status {
        gateway: usize,
        connection: usize,
    },
    ExternalAddress {
        gateway: usize,
        connection: usize,
    },
    Firewall {
        gateway: usize,
        connection: usize,
    },
    /// Of the service in use, again.
    CurrentAddress,
    Step(Step),
}

#[derive(Debug)]
pub struct Client {
    internal: IpAddr,
    surroundings: Surroundings,
    description: String,
    search_window: Duration,
    remembered: Option<Control>,
    /// Whether every gateway is wanted, and not just a good one.
    thorough: bool,
    search: Option<Search>,
    gateways: Vec<Gateway>,
    settles: Option<Instant>,
    /// Until when no gateway is asked what it is.
    waits: Option<Instant>,
    presence: Presence,
    /// Where the gateway that is in use was heard to have its description now.
    moved_to: Option<Url>,
    control: Option<Control>,
    /// The number of the one that is held.
    pinhole: Option<u16>,
    /// The external port of the mapping that is held, and how the table lists it.
    listed: Option<(NonZeroU16, Listing)>,
    /// What the gateway makes of leases.
    leases: KnownLeases,
    /// A gateway that answered is known to list what it does not forward.
    check: Check,
    dialogue: Option<Dialogue>,
    /// The external address is to be asked for behind the dialogue.
    address_is_due: bool,
    exchanges: Exchanges<Question>,
    events: VecDeque<Event>,
    now: Instant,
}

impl Client {
    /// `internal` is this host's address on the gateway's link, `description` what the mapping is called in the
    /// router's table (ASCII, at most 60 characters). For an IPv6 address a pinhole is opened, which has no name.
    #[must_use]
    pub fn new(internal: IpAddr, default_gateway: Option<IpAddr>, description: String, now: Instant) -> Self {
        Self {
            internal,
            surroundings: Surroundings { default_gateway, networks: Vec::new() },
            description,
            search_window: SEARCH_WINDOW,
            remembered: None,
            thorough: false,
            search: None,
            gateways: Vec::new(),
            settles: None,
            waits: None,
            presence: Presence::default(),
            moved_to: None,
            control: None,
            pinhole: None,
            listed: None,
            leases: KnownLeases::default(),
            check: Check::ByTable,
            dialogue: None,
            address_is_due: false,
            exchanges: Exchanges::new(internal),
            events: VecDeque::new(),
            now,
        }
    }

    /// How long silence is waited through, instead of [`SEARCH_WINDOW`]; where nothing is held, that of a gateway that is
    /// asked, too.
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

    /// The networks of the link, each by this host's address in it: only who is in one of
    /// them is heard beside the default gateway, and an IPv6 gateway answers from another address than it writes into
    /// its URLs.
    pub fn handle_networks(&mut self, networks: Vec<Network>) {
        self.surroundings.networks = networks;
    }

    /// Takes up where another client left off, without a search.
    pub fn take_control(&mut self, control: Control, pinhole: Option<u16>) {
        self.abandon();
        self.control = Some(control);
        self.pinhole = pinhole;
    }

    /// Takes over what another client made of this gateway, as far as nothing newer is known here.
    pub fn recollect(
        &mut self,
        control: &Control,
        pinhole: Option<u16>,
        external_port: NonZeroU16,
        listing: &Listing,
    ) {
        if self.control.as_ref().is_none_or(|known| known.gateway != control.gateway) {
            self.take_control(control.clone(), pinhole);
        }
        self.pinhole = self.pinhole.or(pinhole);
        if self.listing_of(external_port).is_none() {
            self.take_mapping(external_port, listing.clone());
        }
    }

    /// Takes over a mapping that another client made.
    pub fn take_mapping(&mut self, external_port: NonZeroU16, listing: Listing) {
        self.listed = Some((external_port, listing));
    }

    /// How the table lists the mapping that was granted, or is just asked for.
    #[must_use]
    pub fn listing(&self) -> Listing {
        let open = self.dialogue.as_ref().map(Dialogue::listing);
        open.or_else(|| self.listed.clone().map(|(_, listing)| listing)).unwrap_or_default()
    }

    /// What the router calls the pinhole that was granted last.
    #[must_use]
    pub fn pinhole(&self) -> Option<u16> {
        self.pinhole
    }

    /// The service in use, once [`Event::Available`] was told.
    #[must_use]
    pub fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// What the last search has found so far, in the order of the answers.
    #[must_use]
    pub fn found(&self) -> Vec<Found> {
        self.gateways.iter().filter_map(Gateway::found).collect()
    }

    /// Searches for gateways; answered by [`Event::Available`] or [`Event::Absent`] within about
    /// [`SEARCH_WINDOW`] and, where a gateway answers slowly, an
    /// [`EXCHANGE_TIMEOUT`](super::exchanges::EXCHANGE_TIMEOUT) for each of three questions.
    pub fn probe(&mut self, now: Instant) {
        self.now = now;
        self.abandon();
        self.control = None;
        if let Some(location) = self.moved_to.take() {
            self.search = Some(Search::without_a_question(self.internal, self.search_window, now));
            return self.discover(self.surroundings.is_default(location.host()), location, None);
        }
        let default_gateway = self.surroundings.default_gateway;
        self.search = Some(Search::new(self.internal, default_gateway, self.search_window, now));
        if let Some(control) = self.remembered.clone() {
            let is_default = self.surroundings.is_default(control.url.host());
            if let Some(gateway) = Gateway::remembered(control, self.internal, is_default) {
                self.gateways.push(gateway);
                self.assess_connection(0, 0);
            }
        }
    }

    /// For so long a [`probe`](Self::probe) costs no gateway more than the answer to a search.
    pub fn wait_for_others(&mut self, until: Instant) {
        self.waits = Some(until);
    }

    /// Waits for nobody any longer.
    pub fn go_ahead(&mut self, now: Instant) {
        self.now = now;
        if self.waits.take().is_some() {
            self.choose();
        }
    }

    /// As [`probe`](Self::probe), but every gateway is heard out before the best one is taken.
    pub fn survey(&mut self, now: Instant) {
        self.thorough = true;
        self.probe(now);
    }

    /// Stops whatever is under way, without a word.
    pub fn abandon(&mut self) {
        self.exchanges.abandon();
        self.search = None;
        self.dialogue = None;
        self.settles = None;
        self.waits = None;
        self.gateways.clear();
    }

    /// Asks for the mapping, or for more time for the one that is held: looks who has the port, adds, and reads
    /// the entry back. Answered by [`Event::Granted`] or [`Event::Refused`].
    pub fn request(&mut self, request: &Request, now: Instant) {
        let (description, known) = (self.description.clone(), self.known(request.external_port));
        self.begin(Dialogue::to_obtain(request.clone(), self.internal, description, known), now);
    }

    /// Asks for more time for the mapping that is held, as a [`request`](Self::request) does. An external address other
    /// than before is told by [`Event::ExternalAddressChanged`].
    pub fn renew(&mut self, request: &Request, now: Instant) {
        self.request(request, now);
        self.address_is_due = true;
    }

    /// Looks whether the mapping is still there, and obtains it where it is not. Answered by [`Event::Confirmed`], or
    /// as a [`renewal`](Self::renew) is.
    pub fn check(&mut self, request: &Request, now: Instant) {
        let (description, known) = (self.description.clone(), self.known(request.external_port));
        let dialogue = Dialogue::to_check(self.check, request.clone(), self.internal, description, known);
        self.begin(dialogue, now);
        self.address_is_due = true;
    }

    /// Deletes the mapping if the router's table still says that it is ours; answered by [`Event::Released`]. What the
    /// open question may make is deleted, too; the deletion of another mapping is given up.
    pub fn release(&mut self, grant: &Grant, transport: Transport, now: Instant) {
        let listing = self.listing_of(grant.external_port);
        self.release_of(self.internal, grant, transport, listing, now);
    }

    /// As [`release`](Self::release), for a mapping that another client made, to this or another address, `internal`. A
    /// router in secure mode deletes none of another address.
    pub fn release_of(
        &mut self,
        internal: IpAddr,
        grant: &Grant,
        transport: Transport,
        listing: Option<Listing>,
        now: Instant,
    ) {
        let is_of_this = |dialogue: &&mut Dialogue| !dialogue.releases_another(internal, grant.external_port);
        if let Some(dialogue) = self.dialogue.as_mut().filter(is_of_this) {
            dialogue.turn_to_release();
            if let Some(Question::Step(step)) = self.exchanges.take_back(|it| matches!(it, Question::Step(_)))
            {
                self.now = now;
                self.withdraw(step);
            }
            return;
        }
        let (description, mut known) = (self.description.clone(), self.known(grant.external_port));
        known.mapping.listing = listing;
        self.begin(Dialogue::to_release(grant, transport, internal, description, known), now);
    }

    fn known(&self, external_port: NonZeroU16) -> dialogue::Known {
        let mapping = attempt::Known { listing: self.listing_of(external_port), leases: self.leases };
        dialogue::Known { pinhole: self.pinhole, mapping }
    }

    fn listing_of(&self, external_port: NonZeroU16) -> Option<Listing> {
        let listed = self.listed.as_ref().filter(|(port, _)| *port == external_port);
        listed.map(|(_, listing)| listing.clone())
    }

    pub fn handle_datagram(&mut self, from: SocketAddr, payload: &[u8], now: Instant) {
        self.now = now;
        let message = match ssdp::parse(payload) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(%from, %error, "not an SSDP message"),
        };
        let location = message.location.as_deref().and_then(|text| Url::parse(text).ok());
        let Some(location) = location.and_then(|it| self.surroundings.located(from.ip(), it)) else {
            return tracing::debug!(%from, "no usable location");
        };
        if self.is_heeded(from.ip()) && message.names_gateway() {
            self.presence.hear(&message, Some(&location));
        }
        if lists_what_it_does_not_forward(&message) {
            self.check = Check::ByRemaking;
        }
        let is_default =
            self.surroundings.is_default(from.ip()) || self.surroundings.is_default(location.host());
        // Some gateways do not say so; the description will.
        if is_default || message.names_gateway() {
            self.discover(is_default, location, Some(message));
        }
    }

    /// What came to the group that gateways notify of themselves. Answered by [`Event::GatewayRestarted`] or
    /// [`Event::GatewayAlive`] if it is the gateway's that is in use. A gateway that takes its leave has not forgotten
    /// anything yet.
    pub fn handle_notification(&mut self, from: SocketAddr, payload: &[u8], now: Instant) {
        self.now = now;
        let message = match ssdp::parse(payload) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(%from, %error, "not a notification"),
        };
        if !self.is_heeded(from.ip()) || !message.names_gateway() {
            return;
        }
        let location = message.location.as_deref().and_then(|text| Url::parse(text).ok());
        let location = location.and_then(|location| self.surroundings.located(from.ip(), location));
        match self.presence.hear(&message, location.as_ref()) {
            Some(Sign::Alive) => self.events.push_back(Event::GatewayAlive),
            Some(Sign::Restarted) => self.events.push_back(Event::GatewayRestarted),
            Some(Sign::Moved) => {
                self.moved_to = location;
                self.events.push_back(Event::GatewayRestarted);
            }
            None => {}
        }
    }

    /// A [`probe`](Self::probe) asks where the gateway was heard to be now, and searches for none.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.moved_to.is_some()
    }

    fn is_heeded(&self, from: IpAddr) -> bool {
        self.surroundings.is_default(from)
            || self.control.as_ref().is_some_and(|control| control.gateway == from)
    }

    pub fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        self.now = now;
        if let Some((question, reply)) = self.exchanges.handle_input(id, input, now) {
            self.answer(question, reply);
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        while let Some((question, reply)) = self.exchanges.next_ended(now) {
            self.answer(question, reply);
        }
        if let Some(search) = &mut self.search {
            search.handle_timeout(now);
        }
        self.waits.take_if(|until| *until <= now);
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

    /// When to call [`Self::handle_timeout`], once everything else has been polled; output that waits is no deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let search = self.search.as_ref().and_then(Search::poll_timeout);
        [search, self.settles, self.waits, self.exchanges.poll_timeout()].into_iter().flatten().min()
    }

    fn answer(&mut self, question: Question, reply: Result<Reply, NoReply>) {
        match question {
            Question::Description { gateway } => self.describe(gateway, reply),
            Question::ExternalAddress { gateway, connection }
            | Question::Firewall { gateway, connection }
                if is_not_found(reply.as_ref()) && self.moves_to_the_root(gateway, connection) =>
            {
                self.assess_connection(gateway, connection);
            }
            Question::ExternalAddress { gateway, connection } => {
                let address = told_address(reply);
                self.learn(gateway, connection, |connection| connection.external_address = address);
                self.ask_for_status(gateway, connection);
                self.choose();
            }
            Question::Status { gateway, connection } => {
                let reply = arguments(reply).ok();
                let status = reply.as_ref().and_then(|reply| soap::connection_status(reply).ok());
                self.learn(gateway, connection, |connection| {
                    connection.connected = status.map(|status| status == soap::ConnectionStatus::Connected);
                    connection.uptime_seconds = reply.as_ref().and_then(soap::uptime_seconds);
                });
                self.choose();
            }
            Question::Firewall { gateway, connection } => {
                let status = arguments(reply).ok().and_then(|reply| soap::firewall_status(&reply).ok());
                let opens = status.map(|status| !status.enabled || status.inbound_pinhole_allowed);
                let address = opens.filter(|&opens| opens).map(|_| self.internal);
                self.learn(gateway, connection, |connection| {
                    (connection.connected, connection.external_address) = (opens, address);
                });
                self.choose();
            }
            Question::CurrentAddress => self.learn_current_address(reply),
            Question::Step(step) => self.advance(step, arguments(reply)),
        }
    }

    /// Asks for the external address of the service in use; another one than before is told by
    /// [`Event::ExternalAddressChanged`]. A pinhole leads to our own address.
    pub fn ask_for_address(&mut self, now: Instant) {
        self.now = now;
        if let Some(control) = self.control.clone().filter(|_| self.internal.is_ipv4()) {
            let call = soap::get_external_ip_address(&control.service_type);
            self.call(&control.url, &call, Question::CurrentAddress);
        }
    }

    fn learn_current_address(&mut self, reply: Result<Reply, NoReply>) {
        let address = arguments(reply).ok().and_then(|reply| soap::external_ip_address(&reply).ok());
        // What cannot be read says nothing of the address.
        let (Some(address), Some(control)) = (address, &mut self.control) else { return };
        if control.external_address != address {
            control.external_address = address;
            self.events.push_back(Event::ExternalAddressChanged(address));
        }
    }

    /// What is asked beside it can wait, or be asked again.
    fn begin(&mut self, (dialogue, first): (Dialogue, Step), now: Instant) {
        self.now = now;
        self.abandon();
        self.address_is_due = false;
        self.dialogue = Some(dialogue);
        self.ask(first);
    }

    fn ask(&mut self, step: Step) {
        let Some(dialogue) = &self.dialogue else { return };
        let Some(control) = self.control.clone() else {
            return self.conclude_dialogue(match dialogue.is_releasing() {
                true => Event::Released { port: Some(dialogue.external_port()), confirmed: false },
                false => Event::Refused(Refusal::NoAnswer),
            });
        };
        let Some(call) = dialogue.call(step, &control.service_type) else { return };
        if step.adds() {
            self.events.push_back(Event::Making { external_port: dialogue.external_port() });
        }
        self.call(&control.url, &call, Question::Step(step));
    }

    fn call(&mut self, url: &Url, call: &Call, question: Question) {
        let request = http::post(url, &call.action_header, &call.body);
        let if_broken = match &question {
            Question::Step(step) if step.adds() => IfBroken::Tell,
            _ => IfBroken::AskOnceMore,
        };
        self.exchanges.ask(url, request, question, if_broken, self.patience(), self.now);
    }

    /// As long as nothing is held, whoever has time for a search has it for what was found: many others may be before us.
    fn patience(&self) -> Duration {
        let holds = self.listed.is_some() || self.pinhole.is_some();
        if holds { Duration::ZERO } else { self.search_window }
    }

    /// What was never asked makes nothing.
    fn withdraw(&mut self, step: Step) {
        if let Some(next) = self.dialogue.as_mut().and_then(|dialogue| dialogue.withdraw(step)) {
            self.follow(next);
        }
    }

    fn advance(&mut self, step: Step, reply: Result<soap::Reply, Failure>) {
        let Some(dialogue) = &mut self.dialogue else { return };
        let Some(next) = dialogue.advance(step, reply) else { return };
        self.follow(next);
    }

    fn follow(&mut self, next: Next<Step>) {
        let Some(dialogue) = &self.dialogue else { return };
        self.pinhole = dialogue.pinhole();
        self.leases = dialogue.known_leases();
        match next {
            Next::Ask(step) => self.ask(step),
            Next::Granted { port, lease } => {
                let grant = Grant {
                    external_address: self.control.as_ref().and_then(|control| control.external_address),
                    external_port: port,
                    internal_port: dialogue.internal_port(),
                    lease,
                };
                self.listed = Some((port, dialogue.listing()));
                self.conclude_dialogue(Event::Granted(grant));
            }
            Next::Confirmed => self.conclude_dialogue(Event::Confirmed),
            Next::Refused(refusal) => {
                if let Refusal::LeftBehind { port, .. } = refusal {
                    self.listed = Some((port, dialogue.listing()));
                }
                self.conclude_dialogue(Event::Refused(refusal));
            }
            Next::Released { confirmed } => {
                let port = dialogue.external_port();
                match confirmed {
                    true => self.listed.take_if(|(listed, _)| *listed == port),
                    // Whoever asks again for it has to know what was read of it.
                    false if dialogue.is_about(self.internal, port) => {
                        self.listed.replace((port, dialogue.listing()))
                    }
                    false => None,
                };
                self.conclude_dialogue(Event::Released { port: Some(port), confirmed });
            }
        }
    }

    fn conclude_dialogue(&mut self, event: Event) {
        self.dialogue = None;
        let is_kept = matches!(event, Event::Granted(_) | Event::Confirmed);
        self.events.push_back(event);
        if is_kept && std::mem::take(&mut self.address_is_due) {
            self.ask_for_address(self.now);
        }
    }
}

/// miniupnpd with nftables (2.3.1, measured) reads its rules anew only after it has changed one itself: once the
/// firewall was reloaded under it, it goes on to list and to renew what nobody forwards any more.
fn lists_what_it_does_not_forward(message: &ssdp::Message) -> bool {
    message.server.as_deref().is_some_and(|server| server.contains("MiniUPnPd"))
}

fn is_not_found(reply: Result<&Reply, &NoReply>) -> bool {
    reply.is_ok_and(|reply| reply.status == 404)
}

fn told_address(reply: Result<Reply, NoReply>) -> Option<IpAddr> {
    arguments(reply).ok().and_then(|reply| soap::external_ip_address(&reply).ok()).flatten()
}

fn arguments(reply: Result<Reply, NoReply>) -> Result<soap::Reply, Failure> {
    let reply = reply.map_err(|NoReply| Failure::NoReply)?;
    soap::parse_reply(reply.status, &reply.body).map_err(Failure::Fault)
}
