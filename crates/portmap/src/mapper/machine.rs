//! The state machine.

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
use std::time::{Duration, Instant};

use self::job::Job;
use self::outside::AddressQuestions;
use self::records::Unresolved;
use self::restart::Restart;
use self::telling::Untold;
use super::elsewhere::{Elsewhere, Place};
use super::ports::PortChoice;
use super::schedule::{Backoff, next_check, renewal};
use super::speaker::{Speaker, Standing};
use super::values::{
    Control, Event, External, Mapping, Protocol, Record, Remembered, Reservation, Settings, Wanted,
};
use crate::address::Network;
use crate::cause::Cause;
use crate::client::{self, Grant, Refusal, Request};
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Socket, Transmit};
use crate::random::Random;

/// A renewal can wait: half of the lease is left. But a gateway that has moved or restarted must be looked for.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(10);

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

#[derive(Debug)]
struct Held {
    /// `None` once it was deleted from another address.
    place: Option<Place>,
    grant: Grant,
    record: Record,
    renews: Instant,
    expires: Option<Instant>,
    lost: bool,
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

    /// Asks for the current port, once nobody else on this host can.
    fn request(&mut self, now: Instant) {
        let Some(job) = &self.job else { return };
        let port = job.ports.current();
        if port == job.wanted.internal_port || self.reserved == Some(port) {
            return self.ask(Speaker::request, now);
        }
        self.drop_reservation();
        self.state = State::Reserving;
        self.reservations.push_back(Reservation::Take(port));
    }

    fn ask(&mut self, question: fn(&mut Speaker, &Request, Instant), now: Instant) {
        let (Some(job), Some(index)) = (&self.job, self.chosen) else { return };
        let request = job.request(self.settings.lease);
        let speaker = &mut self.speakers[index];
        let patience = speaker.patience();
        let patience = if self.held.is_some() { patience.map(|_| RENEWAL_PATIENCE) } else { patience };
        let gives_up = patience.map(|patience| now + patience);
        self.state = State::Requesting { gives_up };
        question(speaker, &request, now);
        match gives_up {
            Some(_) => self.making(index, request.external_port),
            // UPnP says so itself: it looks before it adds.
            None => self.handle_client_events(now),
        }
    }

    fn check_or_renew(&mut self, now: Instant) {
        let due = self.held.as_ref().is_some_and(|held| now >= held.renews);
        self.ask(if due { Speaker::renew } else { Speaker::check }, now);
    }

    fn readdressed(&mut self, index: usize, address: Option<IpAddr>) {
        self.speakers[index].stand(Standing::Available { external_address: address });
        self.address_is(address.or_else(|| self.address_told()));
    }

    fn address_is(&mut self, address: Option<IpAddr>) {
        let place = self.place();
        let control = self.chosen.and_then(|index| self.speakers[index].control());
        if let Some(held) = self.held.as_mut().filter(|held| held.place == Some(place))
            && held.grant.external_address != address
        {
            held.grant.external_address = address;
            held.record.control = control.unwrap_or_else(|| held.record.control.clone());
            let mapping = self.settings.mapping(held);
            self.events.extend(self.untold.is_none().then_some(Event::Changed(mapping)));
        }
    }

    fn confirmed(&mut self, now: Instant) {
        if let Some(renews) = self.held.as_ref().map(|held| held.renews) {
            self.hold(renews, now);
        }
    }

    /// Looks at the mapping again when it is due.
    fn hold(&mut self, renews: Instant, now: Instant) {
        let deletion = self.latest_deletion.filter(|at| *at > now);
        let check = next_check(renews, &mut self.random, now);
        self.state = State::Holding { checks: deletion.map_or(check, |at| at.min(check)) };
    }

    fn granted(&mut self, grant: Grant, now: Instant) {
        let grant = self.with_address(grant);
        let place = self.place();
        let record = self.chosen.and_then(|index| self.record(index, grant.external_port));
        if self.is_leaving() {
            return;
        }
        let (Some(job), Some(record)) = (&mut self.job, record) else { return };
        if !job.accepts(grant.external_port) {
            return self.discard(&grant, now);
        }
        job.ports.settle(grant.external_port);
        self.backoff = Backoff::default();
        let renews = renewal(grant.lease, self.settings.lease, &mut self.random, now);
        let expires = grant.lease.map(|lease| now + lease);
        let held = Held { place: Some(place), grant, record, renews, expires, lost: false };
        let mapping = self.settings.mapping(&held);
        self.hold(renews, now);
        self.give_back_others(held.record.protocol, now);
        match &self.held {
            None => self.untold = Some(Untold::new(now)),
            Some(_) if self.untold.is_some() => {}
            Some(before) if before.is_same_place(&held) && !before.lost => {
                self.events.push_back(Event::Renewed(mapping));
            }
            Some(_) => self.events.push_back(Event::Changed(mapping)),
        }
        self.held = Some(held);
        self.tell_once_sure(now);
        self.look_for_address(now);
        self.take_again_or_delete(now);
    }

    /// Without a mapping to keep, the end; with one, another try later.
    fn fail(&mut self, cause: Cause, now: Instant) {
        if self.held.is_none() || self.untold.is_some() && cause.is_of_another() {
            if let Some(untold) = self.take_untold() {
                self.is_in_doubt(untold.record);
            }
            self.events.push_back(Event::Failed(cause));
            return self.part(None, now);
        }
        tracing::debug!(%cause, "not kept yet");
        if let Some(held) = self.held.as_mut().filter(|held| !held.lost && cause.is_of_another()) {
            held.lost = true;
            self.events.push_back(Event::Lost(cause));
        }
        self.remember_unresolved(now);
        self.chosen = None;
        self.drop_reservation();
        self.state = State::Recovering { retries: now + self.backoff.next() };
    }

    fn notice_expiry(&mut self, now: Instant) {
        let gateway = self.gateway();
        if self.held.as_ref().is_some_and(|held| held.expires.is_some_and(|expires| now >= expires)) {
            self.tell();
        }
        if let Some(held) = &mut self.held
            && held.expires.is_some_and(|expires| now >= expires)
            && !held.lost
        {
            held.lost = true;
            self.events.push_back(Event::Lost(Cause::NoAnswer { gateway }));
        }
    }

    /// What is worth to be known by the next mapper on this network, once there is a mapping.
    #[must_use]
    pub fn learnt(&self) -> Option<Remembered> {
        let held = self.held.as_ref()?;
        let speaker = &self.speakers[self.speaker_of(held.record.protocol)?];
        let control = match &held.record.control {
            Control::Upnp(control) => Some(control.clone()),
            Control::Pinhole { .. } | Control::ControlPort { .. } => None,
        };
        let allowed = self.job.as_ref().and_then(|job| job.ports.allowed());
        Some(Remembered {
            protocol: held.record.protocol,
            control,
            answer_time: speaker.answer_time(),
            allowed,
        })
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

    fn end(&mut self, last_word: Option<Event>) {
        self.drop_reservation();
        self.held = None;
        self.state = State::Ended;
        self.leave_unresolved();
        self.events.extend(last_word);
    }

    fn drop_reservation(&mut self) {
        if let Some(port) = self.reserved.take() {
            self.reservations.push_back(Reservation::Drop(port));
        }
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

impl Held {
    fn is_same_place(&self, other: &Self) -> bool {
        (self.grant.external_port, self.grant.external_address)
            == (other.grant.external_port, other.grant.external_address)
    }
}

impl Settings {
    fn mapping(&self, held: &Held) -> Mapping {
        Mapping {
            internal: SocketAddr::new(self.internal, held.grant.internal_port.get()),
            external_address: held.grant.external_address,
            lease: held.grant.lease,
            record: held.record.clone(),
        }
    }
}

fn speakers(settings: &Settings, now: Instant) -> Vec<Speaker> {
    settings.protocols.iter().filter_map(|&protocol| Speaker::new(protocol, settings, now)).collect()
}
