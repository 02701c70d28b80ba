//! The life of one mapping: find, request, verify, renew, recover, release.
//!
//! A [`Mapper`] begins to look for a gateway as soon as it exists; what it is to map may come later with
//! [`Mapper::map`], so that the search runs while mosh-server starts. From the first [`Event::Mapped`] on it keeps
//! the mapping until [`Mapper::release`]: renewed in time, made again when the gateway lost it, on another port when
//! somebody else took it.
//!
//! It owns no socket. The owner calls `handle_*` with what came in, then takes everything from `poll_transmit`,
//! `poll_exchange`, `poll_close`, `poll_reservation` and `poll_event`, and calls [`Mapper::handle_timeout`] at
//! [`Mapper::poll_timeout`].
//!
//! # Ports that are not the same inside and outside
//!
//! A gateway overwrites a mapping when the same host asks for the same external port again. Two sessions on one host
//! must therefore never ask for the same one, and no gateway keeps them apart. What does is the host's own port
//! table: an external port that differs from the internal one is asked for only while the owner holds a socket on
//! that number ([`Reservation`]).

mod ports;
mod random;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use self::ports::PortChoice;
use self::random::Random;
use self::schedule::{Backoff, renewal};
use crate::address::{Reach, reach};
use crate::cause::Cause;
use crate::client::{self, Grant, Refusal, Request};
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Socket, Transmit};
use crate::mapping::Transport;
use crate::upnp;

/// Some routers say "action failed" (501) where they mean a conflict; a few other ports tell (libtorrent).
const TRIES_AFTER_ACTION_FAILED: usize = 4;

/// What a mapper needs to know of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This host's address on the gateway's link.
    pub internal: IpAddr,
    pub gateway: Option<IpAddr>,
    /// What the mapping is called in the router's table: ASCII, at most 60 characters, unlike any other session's.
    pub description: String,
    /// Asked for; the gateway may grant another. 1 s to a week.
    pub lease: Duration,
    /// How long a gateway may keep silent before there is none; [`upnp::SEARCH_WINDOW`] finds those in good order.
    pub search_window: Duration,
    /// Spreads the renewals of many hosts.
    pub seed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub transport: Transport,
    pub internal_port: NonZeroU16,
    pub external: External,
}

/// Which external port will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum External {
    /// The internal port's number, else another of the range.
    Within(RangeInclusive<NonZeroU16>),
    /// This one has been told to somebody.
    Only(NonZeroU16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub transport: Transport,
    pub internal: SocketAddr,
    pub external_port: NonZeroU16,
    /// As far as the gateway tells.
    pub external_address: Option<IpAddr>,
    /// `None`: until it is deleted.
    pub lease: Option<Duration>,
    pub record: Record,
}

/// What is needed to delete the mapping later, without the mapper that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub transport: Transport,
    pub internal_port: NonZeroU16,
    pub external_port: NonZeroU16,
    pub control: upnp::client::Control,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// For the first time.
    Mapped(Mapping),
    Renewed(Mapping),
    /// Made again, with another external address or port.
    Changed(Mapping),
    /// It was there and is not any more; the mapper goes on trying.
    Lost(Cause),
    /// It cannot be had; the mapper has stopped.
    Failed(Cause),
    /// The end; unconfirmed where the gateway gave no answer.
    Released {
        confirmed: bool,
    },
}

/// A port number that only this session of this host may ask the gateway for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// To be answered by [`Mapper::handle_reservation`].
    Take(NonZeroU16),
    Drop(NonZeroU16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Seeking,
    /// A gateway is known, nothing is wanted yet.
    Ready,
    Reserving,
    Requesting,
    Holding {
        renews: Instant,
    },
    Recovering {
        retries: Instant,
    },
    Releasing,
    Ended,
}

#[derive(Debug)]
struct Job {
    wanted: Wanted,
    ports: PortChoice,
    action_failures: usize,
}

#[derive(Debug)]
struct Held {
    grant: Grant,
    expires: Option<Instant>,
    lost: bool,
}

#[derive(Debug)]
pub struct Mapper {
    settings: Settings,
    client: upnp::client::Client,
    job: Option<Job>,
    state: State,
    held: Option<Held>,
    reserved: Option<NonZeroU16>,
    backoff: Backoff,
    random: Random,
    reservations: VecDeque<Reservation>,
    events: VecDeque<Event>,
}

impl Mapper {
    /// Begins to look for a gateway.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        let mut mapper = Self::idle(settings, now);
        mapper.client.probe(now);
        mapper
    }

    /// Takes over a mapping that another mapper made, to [`release`](Self::release) it.
    #[must_use]
    pub fn resume(settings: Settings, record: Record, now: Instant) -> Self {
        let mut mapper = Self::idle(settings, now);
        let grant = Grant {
            external_address: record.control.external_address,
            external_port: record.external_port,
            internal_port: record.internal_port,
            lease: None,
        };
        mapper.client = mapper.client.with_control(record.control);
        mapper.job = Some(Job {
            wanted: Wanted {
                transport: record.transport,
                internal_port: record.internal_port,
                external: External::Only(record.external_port),
            },
            ports: PortChoice::only(record.external_port),
            action_failures: 0,
        });
        mapper.held = Some(Held { grant, expires: None, lost: false });
        mapper.state = State::Ready;
        mapper
    }

    fn idle(settings: Settings, now: Instant) -> Self {
        let description = settings.description.clone();
        Self {
            client: upnp::client::Client::new(settings.internal, settings.gateway, description, now)
                .with_search_window(settings.search_window),
            random: Random::new(settings.seed),
            settings,
            job: None,
            state: State::Seeking,
            held: None,
            reserved: None,
            backoff: Backoff::default(),
            reservations: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Says what is wanted; answered by [`Event::Mapped`] or [`Event::Failed`].
    pub fn map(&mut self, wanted: Wanted, now: Instant) {
        let ports = match &wanted.external {
            External::Within(range) => PortChoice::new(wanted.internal_port, range.clone()),
            External::Only(port) => PortChoice::only(*port),
        };
        self.job = Some(Job { wanted, ports, action_failures: 0 });
        if self.state == State::Ready {
            self.request(now);
        }
    }

    /// From now on only this external port will do, for somebody has been told it.
    pub fn insist(&mut self, port: NonZeroU16, now: Instant) {
        let Some(job) = &mut self.job else { return };
        job.ports = PortChoice::only(port);
        job.wanted.external = External::Only(port);
        if self.held.as_ref().is_some_and(|held| held.grant.external_port != port) {
            self.release(now);
        }
    }

    /// Deletes the mapping, or what the open question may still make; answered by [`Event::Released`].
    pub fn release(&mut self, now: Instant) {
        let grant = self.held.take().map(|held| held.grant).or_else(|| self.requested_grant());
        match (grant, &self.job) {
            (Some(grant), Some(job)) => {
                self.state = State::Releasing;
                self.client.release(&grant, job.wanted.transport, now);
            }
            _ => self.end(Event::Released { confirmed: true }),
        }
    }

    /// The answer to [`Reservation::Take`].
    pub fn handle_reservation(&mut self, port: NonZeroU16, taken: bool, now: Instant) {
        self.reserved = taken.then_some(port);
        match self.state {
            State::Reserving if !taken => self.take_another_port(now),
            State::Reserving => self.request(now),
            _ => self.drop_reservation(),
        }
    }

    pub fn handle_datagram(&mut self, socket: Socket, from: SocketAddr, payload: &[u8], now: Instant) {
        match socket {
            Socket::Discovery => self.client.handle_datagram(from, payload, now),
            Socket::Control | Socket::Announcements => {}
        }
        self.handle_client_events(now);
    }

    pub fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        self.client.handle_exchange(id, input, now);
        self.handle_client_events(now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        self.handle_client_events(now);
        match self.state {
            State::Holding { renews } if now >= renews => self.renew(now),
            State::Recovering { retries } if now >= retries => self.seek_again(now),
            _ => {}
        }
        self.notice_expiry(now);
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.client.poll_transmit()
    }

    pub fn poll_exchange(&mut self) -> Option<Exchange> {
        self.client.poll_exchange()
    }

    pub fn poll_close(&mut self) -> Option<ExchangeId> {
        self.client.poll_close()
    }

    pub fn poll_reservation(&mut self) -> Option<Reservation> {
        self.reservations.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`], once everything else has been polled.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match self.state {
            State::Holding { renews: at } | State::Recovering { retries: at } => Some(at),
            State::Seeking
            | State::Ready
            | State::Reserving
            | State::Requesting
            | State::Releasing
            | State::Ended => None,
        };
        let expiry = self.held.as_ref().filter(|held| !held.lost).and_then(|held| held.expires);
        [own, expiry, self.client.poll_timeout()].into_iter().flatten().min()
    }

    fn handle_client_events(&mut self, now: Instant) {
        while let Some(event) = self.client.poll_event() {
            match event {
                client::Event::Available { .. } => self.available(now),
                client::Event::Absent(absence) => self.fail(Cause::of_absence(&absence), now),
                client::Event::Granted(grant) => self.granted(grant, now),
                client::Event::Refused(refusal) => self.refused(&refusal, now),
                client::Event::Released { confirmed } => self.end(Event::Released { confirmed }),
                client::Event::GatewayRestarted | client::Event::ExternalAddressChanged(_) => self.renew(now),
            }
        }
    }

    fn available(&mut self, now: Instant) {
        if self.state == State::Releasing || self.state == State::Ended {
            return;
        }
        self.state = State::Ready;
        if self.job.is_some() {
            self.request(now);
        }
    }

    /// Asks for the current port, once nobody else on this host can.
    fn request(&mut self, now: Instant) {
        let Some(job) = &self.job else { return };
        let port = job.ports.current();
        if port == job.wanted.internal_port || self.reserved == Some(port) {
            return self.ask_client(now);
        }
        self.drop_reservation();
        self.state = State::Reserving;
        self.reservations.push_back(Reservation::Take(port));
    }

    fn ask_client(&mut self, now: Instant) {
        let Some(job) = &self.job else { return };
        let request = Request {
            transport: job.wanted.transport,
            internal_port: job.wanted.internal_port,
            external_port: job.ports.current(),
            exact: true,
            lease: self.settings.lease,
        };
        self.state = State::Requesting;
        self.client.request(&request, now);
    }

    fn renew(&mut self, now: Instant) {
        if matches!(self.state, State::Holding { .. }) {
            self.ask_client(now);
        }
    }

    fn seek_again(&mut self, now: Instant) {
        self.state = State::Seeking;
        self.client.probe(now);
    }

    fn granted(&mut self, grant: Grant, now: Instant) {
        self.backoff = Backoff::default();
        let Some(job) = &mut self.job else { return };
        if !job.ports.range().contains(&grant.external_port) {
            self.held = Some(Held { grant, expires: None, lost: false });
            return self.release(now);
        }
        job.ports.settle();
        self.state = State::Holding { renews: renewal(grant.lease, &mut self.random, now) };
        let before = self.held.replace(Held {
            expires: grant.lease.map(|lease| now + lease),
            grant: grant.clone(),
            lost: false,
        });
        let Some(mapping) = self.mapping(&grant) else { return };
        let same_place = |held: &Held| {
            (held.grant.external_port, held.grant.external_address)
                == (grant.external_port, grant.external_address)
        };
        self.events.push_back(match before {
            None => Event::Mapped(mapping),
            Some(held) if same_place(&held) && !held.lost => Event::Renewed(mapping),
            Some(_) => Event::Changed(mapping),
        });
    }

    fn refused(&mut self, refusal: &Refusal, now: Instant) {
        match refusal {
            Refusal::Conflict => self.take_another_port(now),
            Refusal::NotAuthorized => self.take_an_allowed_port(now),
            Refusal::Unsupported { code: 501 } if self.may_be_a_hidden_conflict() => {
                self.take_another_port(now)
            }
            Refusal::NoResources { .. }
            | Refusal::NetworkFailure { .. }
            | Refusal::AddressMismatch
            | Refusal::CannotProvideExternal
            | Refusal::SamePortRequired
            | Refusal::Unsupported { .. }
            | Refusal::Unconfirmed
            | Refusal::NoAnswer
            | Refusal::Other { .. } => {
                let cause = Cause::of_refusal(refusal, self.gateway(), self.external_address());
                self.fail(cause, now);
            }
        }
    }

    fn take_another_port(&mut self, now: Instant) {
        let Some(job) = &mut self.job else { return };
        if job.ports.after_conflict(&mut self.random).is_some() {
            return self.request(now);
        }
        self.fail(self.exhausted(), now);
    }

    /// The rules may allow lower ports than those already tried and taken.
    fn take_an_allowed_port(&mut self, now: Instant) {
        let Some(job) = &mut self.job else { return };
        let denied = job.ports.current();
        let first_try = denied == job.ports.preferred();
        if job.ports.after_denial(&mut self.random).is_some() {
            return self.request(now);
        }
        let cause = if first_try {
            Cause::DeniedByRules { gateway: self.gateway(), internal: self.settings.internal, port: denied }
        } else {
            self.exhausted()
        };
        self.fail(cause, now);
    }

    fn may_be_a_hidden_conflict(&mut self) -> bool {
        let public = self.external_address().map(reach);
        let Some(job) = &mut self.job else { return false };
        job.action_failures += 1;
        public == Some(Reach::Public) && job.action_failures <= TRIES_AFTER_ACTION_FAILED
    }

    /// Without a mapping to keep, the end; with one, another try later.
    fn fail(&mut self, cause: Cause, now: Instant) {
        if self.state == State::Releasing {
            return self.end(Event::Released { confirmed: false });
        }
        if self.held.is_none() {
            return self.end(Event::Failed(cause));
        }
        self.state = State::Recovering { retries: now + self.backoff.next() };
        tracing::debug!(%cause, "not renewed yet");
    }

    fn notice_expiry(&mut self, now: Instant) {
        let gateway = self.gateway();
        if let Some(held) = &mut self.held
            && held.expires.is_some_and(|expires| now >= expires)
            && !held.lost
        {
            held.lost = true;
            self.events.push_back(Event::Lost(Cause::NoAnswer { gateway }));
        }
    }

    fn end(&mut self, event: Event) {
        self.drop_reservation();
        self.held = None;
        self.state = State::Ended;
        self.events.push_back(event);
    }

    fn drop_reservation(&mut self) {
        if let Some(port) = self.reserved.take() {
            self.reservations.push_back(Reservation::Drop(port));
        }
    }

    fn mapping(&self, grant: &Grant) -> Option<Mapping> {
        let transport = self.job.as_ref()?.wanted.transport;
        Some(Mapping {
            transport,
            internal: SocketAddr::new(self.settings.internal, grant.internal_port.get()),
            external_port: grant.external_port,
            external_address: grant.external_address,
            lease: grant.lease,
            record: Record {
                transport,
                internal_port: grant.internal_port,
                external_port: grant.external_port,
                control: self.client.control()?.clone(),
            },
        })
    }

    /// What the open question may make.
    fn requested_grant(&self) -> Option<Grant> {
        let job = self.job.as_ref().filter(|_| self.state == State::Requesting)?;
        Some(Grant {
            external_address: None,
            external_port: job.ports.current(),
            internal_port: job.wanted.internal_port,
            lease: None,
        })
    }

    fn exhausted(&self) -> Cause {
        let gateway = self.gateway();
        match &self.job {
            Some(job) => {
                let (first, last) = (*job.ports.range().start(), *job.ports.range().end());
                Cause::PortsExhausted { gateway, first, last }
            }
            None => Cause::NoAnswer { gateway },
        }
    }

    fn external_address(&self) -> Option<IpAddr> {
        self.client.control().and_then(|control| control.external_address)
    }

    fn gateway(&self) -> IpAddr {
        let default = self.settings.gateway.unwrap_or(self.settings.internal);
        self.client.control().map_or(default, |control| control.gateway)
    }
}
