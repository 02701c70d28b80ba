//! The state machine.

mod asking;
mod holding;
mod job;
mod late;
mod leaving;
mod moving;
mod outside;
mod records;
mod refusal;
mod restart;
mod seeking;
mod telling;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Instant;

use self::holding::Held;
use self::job::Job;
use self::outside::AddressQuestions;
use self::records::Unresolved;
use self::restart::Restart;
use self::telling::Untold;
use super::elsewhere::Elsewhere;
use super::ports::PortChoice;
use super::schedule::Backoff;
use super::speaker::Speaker;
use super::values::{Control, Event, External, Protocol, Record, Settings, Wanted};
use crate::address::Network;
use crate::cause::Cause;
use crate::client::{self, Grant, Refusal, Request};
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Reservation, Socket, Transmit};
use crate::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Seeking,
    /// Every protocol has failed, but one of them may still answer.
    HearingOut {
        until: Instant,
    },
    /// A gateway is chosen, nothing is wanted yet.
    Ready,
    /// What another address of this host has left at the gateway.
    DeletingFromAfar {
        internal: IpAddr,
        port: NonZeroU16,
    },
    Reserving,
    Requesting {
        gives_up: Option<Instant>,
    },
    Holding {
        checks: Instant,
    },
    Recovering {
        retries: Instant,
    },
    /// What was granted will not do.
    Discarding,
    Releasing,
    /// The gateway does not answer where it was; it may have restarted, and be elsewhere.
    SeekingToRelease,
    /// Nothing is kept any more; what may yet be granted by another protocol is being given back.
    Undoing,
    Ended,
}

/// See the [module](super).
#[derive(Debug)]
pub struct Mapper {
    settings: Settings,
    networks: Vec<Network>,
    /// In the order of [`Protocol`].
    speakers: Vec<Speaker>,
    chosen: Option<usize>,
    job: Option<Job>,
    state: State,
    held: Option<Held>,
    /// Nobody was told yet of what is held.
    untold: Option<Untold>,
    elsewhere: Elsewhere,
    /// Of what was made here before, while another mapping is held; any other question to that speaker comes first.
    deleting_here: Option<(Protocol, NonZeroU16)>,
    /// What to delete once the gateway is found again.
    to_release: Option<(Request, Grant)>,
    /// By PCP and by NAT-PMP one at most, by UPnP one of a port.
    unresolved: Vec<Unresolved>,
    /// When what a gateway was asked to delete, and did not say to have deleted, is gone or stays.
    latest_deletion: Option<Instant>,
    reserved: Option<NonZeroU16>,
    address_questions: AddressQuestions,
    /// What is told once everything is given back.
    last_word: Option<Event>,
    backoff: Backoff,
    restart: Restart,
    random: Random,
    reservations: VecDeque<Reservation>,
    events: VecDeque<Event>,
}

impl Mapper {
    /// Begins to look for a gateway.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        let mut mapper = Self::idle(settings, now);
        mapper.seek(now);
        mapper
    }

    /// Takes over a mapping that another mapper made, to [`release`](Self::release) it.
    #[must_use]
    pub fn resume(settings: Settings, record: Record, now: Instant) -> Self {
        let mut mapper = Self::idle(Settings { protocols: vec![record.protocol], ..settings }, now);
        let (transport, internal_port) = (record.transport, record.internal_port);
        let external = External::Only(record.external_port);
        let wanted = Wanted { transport, internal_port, external };
        mapper.job = Some(Job::new(wanted, mapper.settings.internal, None));
        let external_address = match &record.control {
            Control::Upnp(control) | Control::Pinhole { control, .. } => control.external_address,
            Control::ControlPort { .. } => None,
        };
        let external_port = record.external_port;
        let grant = Grant { external_address, external_port, internal_port, lease: None };
        mapper.held = Some(Held {
            place: Some(mapper.place()),
            grant,
            record,
            renews: now,
            expires: None,
            lost: false,
        });
        mapper
    }

    fn idle(mut settings: Settings, now: Instant) -> Self {
        settings.protocols.sort_unstable();
        settings.protocols.dedup();
        Self {
            speakers: speakers(&settings, now),
            random: Random::new(settings.seed),
            settings,
            networks: Vec::new(),
            chosen: None,
            job: None,
            state: State::Seeking,
            held: None,
            untold: None,
            elsewhere: Elsewhere::default(),
            deleting_here: None,
            to_release: None,
            unresolved: Vec::new(),
            latest_deletion: None,
            reserved: None,
            address_questions: AddressQuestions::default(),
            last_word: None,
            backoff: Backoff::default(),
            restart: Restart::default(),
            reservations: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Says what is wanted; answered by [`Event::Mapped`] or [`Event::Failed`].
    pub fn map(&mut self, wanted: Wanted, now: Instant) {
        let internal = SocketAddr::new(self.settings.internal, wanted.internal_port.get());
        let allowed = self.settings.remembered.as_ref().and_then(|known| known.allowed.as_ref());
        let job = Job::new(wanted, internal.ip(), allowed);
        if internal.is_ipv6() && !job.accepts(job.wanted.internal_port) {
            return self.fail(Cause::NotTranslated { internal }, now);
        }
        self.job = Some(job);
        if self.state == State::Ready {
            self.request(now);
        }
    }

    /// From now on only this external port will do, for somebody has been told it.
    pub fn insist(&mut self, port: NonZeroU16, now: Instant) {
        let Some(job) = &mut self.job else { return };
        job.ports = PortChoice::only(port);
        job.wanted.external = External::Only(port);
        self.speakers.iter_mut().for_each(Speaker::hurry);
        match self.held.as_ref().filter(|held| held.grant.external_port != port) {
            Some(_) if self.untold.is_some() && self.chosen.is_some() => self.discard_untold(now),
            Some(_) => self.release(now),
            None => {}
        }
    }

    /// The networks of the internal address's link, each by this host's address in it. Without them only the
    /// default gateway is heard, and an IPv6 one under one address. May be told, and told anew, at any time.
    pub fn handle_networks(&mut self, networks: Vec<Network>) {
        for speaker in &mut self.speakers {
            speaker.handle_networks(&networks);
        }
        self.networks = networks;
    }

    pub fn handle_datagram(&mut self, socket: Socket, from: SocketAddr, payload: &[u8], now: Instant) {
        for speaker in &mut self.speakers {
            speaker.handle_datagram(socket, from, payload, now);
        }
        self.handle_client_events(now);
    }

    /// What was sent on `socket` came back as "port unreachable".
    pub fn handle_unreachable(&mut self, socket: Socket, now: Instant) {
        if socket == Socket::Control {
            for speaker in &mut self.speakers {
                speaker.handle_unreachable(now);
            }
        }
        self.handle_client_events(now);
    }

    pub fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        for speaker in &mut self.speakers {
            speaker.handle_exchange(id, input, now);
        }
        self.handle_client_events(now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        for speaker in &mut self.speakers {
            speaker.handle_timeout(now);
        }
        self.handle_client_events(now);
        match self.state {
            State::Holding { checks } if now >= checks => self.check_or_renew(now),
            State::Recovering { retries } if now >= retries => self.seek(now),
            State::HearingOut { until } if now >= until => self.choose(now),
            State::Requesting { gives_up: Some(at) } if now >= at => self.request_unanswered(now),
            _ => {}
        }
        self.handle_client_events(now);
        self.ask_for_address_if_due(now);
        self.tell_once_sure(now);
        self.notice_expiry(now);
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.is_unrecorded() {
            return None;
        }
        self.speakers.iter_mut().find_map(Speaker::poll_transmit)
    }

    pub fn poll_exchange(&mut self) -> Option<Exchange> {
        if self.is_unrecorded() {
            return None;
        }
        self.speakers.iter_mut().find_map(Speaker::poll_exchange)
    }

    pub fn poll_close(&mut self) -> Option<ExchangeId> {
        self.speakers.iter_mut().find_map(Speaker::poll_close)
    }

    pub fn poll_reservation(&mut self) -> Option<Reservation> {
        self.reservations.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`], once everything else has been polled; output that waits is no deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Ended {
            return None;
        }
        let own = match self.state {
            State::Holding { checks } => self.next_address_question().into_iter().chain([checks]).min(),
            State::Recovering { retries: at } | State::HearingOut { until: at } => Some(at),
            State::Requesting { gives_up } => gives_up,
            State::Seeking
            | State::Ready
            | State::DeletingFromAfar { .. }
            | State::Reserving
            | State::Discarding
            | State::Releasing
            | State::SeekingToRelease
            | State::Undoing
            | State::Ended => None,
        };
        let expiry = self.held.as_ref().filter(|held| !held.lost).and_then(|held| held.expires);
        let speakers = self.speakers.iter().filter_map(Speaker::poll_timeout);
        let waits = self.looks_after_restart_at().into_iter().chain(self.tells_at()).chain(expiry);
        speakers.chain(own).chain(waits).min()
    }

    fn handle_client_events(&mut self, now: Instant) {
        while let Some((index, event)) = self.poll_client_event() {
            self.handle_client_event(index, event, now);
        }
        self.look_after_restart(now);
        self.tell_once_sure(now);
    }

    /// What is done about one may make any of them tell something at once.
    fn poll_client_event(&mut self) -> Option<(usize, client::Event)> {
        let mut speakers = self.speakers.iter_mut().enumerate();
        speakers.find_map(|(index, speaker)| Some((index, speaker.poll_event()?)))
    }

    fn handle_client_event(&mut self, index: usize, event: client::Event, now: Instant) {
        if self.state == State::Ended {
            return;
        }
        let chosen = self.chosen == Some(index);
        if event == client::Event::Refused(Refusal::AddressMismatch) {
            self.rule_out_nat_pmp();
        }
        self.note(index, &event);
        match event {
            client::Event::Available { external_address } => self.available(index, external_address, now),
            client::Event::Absent(absence) => self.unusable(index, Cause::of_absence(&absence), now),
            client::Event::Granted(grant) if chosen => self.granted(grant, now),
            client::Event::Granted(grant) => self.granted_late(index, grant, now),
            client::Event::Confirmed if chosen => self.confirmed(now),
            client::Event::Refused(refusal) if chosen => self.refused(&refusal, now),
            client::Event::Refused(refusal) => self.refused_unchosen(index, &refusal, now),
            client::Event::Released { port, confirmed } => self.released(index, port, confirmed, now),
            client::Event::GatewayRestarted => self.restarted(index, now),
            client::Event::GatewayAlive => self.seen_alive(index, now),
            client::Event::ExternalAddressChanged(address) if chosen => self.readdressed(index, address),
            client::Event::Making { .. }
            | client::Event::Confirmed
            | client::Event::ExternalAddressChanged(_) => {}
        }
    }

    /// Whether a gateway is known that answers, so that there is somebody to wait for.
    #[must_use]
    pub fn hears_a_gateway(&self) -> bool {
        self.speakers.iter().any(Speaker::has_answered)
    }

    /// Whether nothing more is to be done, once every event has been polled.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn external_address(&self) -> Option<IpAddr> {
        self.speakers[self.chosen?].external_address()
    }

    fn gateway(&self) -> IpAddr {
        let chosen = self.chosen.and_then(|index| self.speakers[index].control());
        let default = self.settings.gateway.unwrap_or(self.settings.internal);
        chosen.map_or(default, |control| control.gateway())
    }
}

fn speakers(settings: &Settings, now: Instant) -> Vec<Speaker> {
    settings.protocols.iter().filter_map(|&protocol| Speaker::new(protocol, settings, now)).collect()
}
