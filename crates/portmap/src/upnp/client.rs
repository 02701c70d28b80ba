//! Speaks UPnP IGD about one mapping, or one pinhole: finds the gateways, takes the best service, adds, verifies,
//! deletes.

mod assessment;
mod dialogues;
mod hearing;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::answer::Failure;
use super::attempt::{Check, KnownLeases, Listing};
use super::control::Control;
use super::dialogue::{Dialogue, Step};
use super::exchanges::{Exchanges, IfBroken, NoReply};
use super::gateway::Gateway;
use super::http::{self, Reply};
use super::location::Surroundings;
use super::presence::Presence;
use super::search::{SEARCH_WINDOW, Search};
use super::soap::{self, Call};
use super::url::Url;
use crate::address::Network;
use crate::client::Event;
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Transmit};

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

    /// Whether a gateway that refuses a lease is asked for no other one.
    #[must_use]
    pub fn with_only_one_lease(mut self, only_one: bool) -> Self {
        self.leases = KnownLeases::of_router(only_one);
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

    /// Stops whatever is under way, without a word.
    pub fn abandon(&mut self) {
        self.exchanges.abandon();
        self.search = None;
        self.dialogue = None;
        self.settles = None;
        self.waits = None;
        self.gateways.clear();
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
                self.learn_address(gateway, connection, reply);
            }
            Question::Status { gateway, connection } => self.learn_status(gateway, connection, reply),
            Question::Firewall { gateway, connection } => self.learn_firewall(gateway, connection, reply),
            Question::CurrentAddress => self.learn_current_address(reply),
            Question::Step(step) => self.advance(step, arguments(reply)),
        }
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
}

fn is_not_found(reply: Result<&Reply, &NoReply>) -> bool {
    reply.is_ok_and(|reply| reply.status == 404)
}

fn arguments(reply: Result<Reply, NoReply>) -> Result<soap::Reply, Failure> {
    let reply = reply.map_err(|NoReply| Failure::NoReply)?;
    soap::parse_reply(reply.status, &reply.body).map_err(Failure::Fault)
}
