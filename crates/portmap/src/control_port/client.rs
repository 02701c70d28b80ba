//! One gateway, one mapping, one open question.

mod answers;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::{FIRST_WAIT, LONGEST_FIRST_WAIT, Mapping, Protocol, RESTART_DELAY_MAXIMUM, Reply, Standing};
use crate::client::{Absence, Event, Grant, Refusal, Request};
use crate::epoch::Epoch;
use crate::random::Random;
use crate::retransmission::{Retransmission, Schedule};

/// More events than this are never waiting unless the owner forgets to fetch them; then the oldest go.
const EVENTS_MAXIMUM: usize = 32;

/// An answer to a copy comes about as long after the first one as the copy was sent after the first question. Where ever more
/// others ask it has to wait in a longer queue, though, than that in which the first one took its time: so many times as long
/// was measured. miniupnpd (2.3.1, measured) makes the mapping anew for each: what comes through meanwhile is taken for the
/// router's own, and so is all that follows from the same port.
const QUEUES_TO_WAIT: u32 = 2;
/// A stock client waits 10 s in all.
const LONGEST_QUEUE: Duration = Duration::from_secs(3);

/// A question is repeated only once the gateway has taken so many times as long as the last time.
const ANSWERS_TO_WAIT: u32 = 6;

/// Asks one gateway about one mapping.
///
/// After each `probe`, `request`, `renew`, `release` and `handle_*` the owner sends what [`Self::poll_transmit`] gives
/// to the gateway's port [`SERVER_PORT`](super::SERVER_PORT), takes every [`Self::poll_event`], and then calls
/// [`Self::handle_timeout`] at [`Self::poll_timeout`]. A new question replaces the one under way.
///
/// What is not the answer to the open question is dropped, and the wait goes on. An answer that comes after a probe or
/// a request was given up is still told: the gateway may have made the mapping.
#[derive(Debug)]
pub struct Client<P> {
    pub(crate) protocol: P,
    gateway: IpAddr,
    /// The gateway has answered in this protocol.
    seen: bool,
    /// How long it took to answer the last time, from when it was first asked.
    answer_time: Option<Duration>,
    /// What is mapped has been told to somebody, and is to be asked for before anybody else can.
    hurries: bool,
    epoch: Epoch,
    external_address: Option<IpAddr>,
    mapping: Option<Mapping>,
    exchange: Option<Exchange>,
    /// What was granted, and is told once the gateway is done with the copies.
    settling: Option<Settling>,
    /// When an announced restart is told.
    restart_at: Option<Instant>,
    random: Random,
    transmit: Option<Vec<u8>>,
    /// It was asked in vain to delete, but may do so yet.
    owes_a_deletion: bool,
    /// One wrong answer must not leave a mapping behind.
    released_again: bool,
    /// What is told once that is undone which was made in spite of it.
    refused_for: Option<Refusal>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
struct Exchange {
    question: Question,
    asked: Instant,
    /// Beside the first.
    copies: u32,
    packet: Vec<u8>,
    /// `None` once it was given up: not asked again, but an answer still counts.
    retransmission: Option<Retransmission>,
}

#[derive(Debug)]
struct Settling {
    port: NonZeroU16,
    lifetime_seconds: u32,
    copies: u32,
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Probe,
    Map,
    Release,
    /// Leaves little time to a mapping that the gateway does not delete.
    CutShort,
    /// Deletes a mapping on another port than the only one that would do, or what an earlier copy of a request that is
    /// refused may have made.
    Undo,
}

impl<P: Protocol> Client<P> {
    pub(crate) fn with_protocol(protocol: P, gateway: IpAddr, seed: u64) -> Self {
        Self {
            protocol,
            gateway: gateway.to_canonical(),
            seen: false,
            answer_time: None,
            hurries: false,
            epoch: Epoch::new(P::settings().epoch),
            external_address: None,
            mapping: None,
            exchange: None,
            settling: None,
            restart_at: None,
            random: Random::new(seed),
            transmit: None,
            owes_a_deletion: false,
            released_again: false,
            refused_for: None,
            events: VecDeque::new(),
        }
    }

    /// Asks whether the protocol is spoken there, and the external address where the protocol can tell it by itself.
    ///
    /// Answered by [`Event::Available`], [`Event::Absent`], or by [`Event::Refused`] from a gateway that speaks the
    /// protocol but is switched off or not connected.
    pub fn probe(&mut self, now: Instant) {
        let packet = self.protocol.probe();
        self.ask(Question::Probe, packet, P::settings().probe, now);
    }

    /// The gateway is known to speak the protocol, and took so long to answer; zero where that is not known.
    #[must_use]
    pub fn with_remembered(mut self, answer_time: Option<Duration>) -> Self {
        self.seen = answer_time.is_some();
        self.answer_time = answer_time.filter(|time| !time.is_zero());
        self
    }

    /// From now on a restart is told as soon as it is heard of.
    pub fn hurry(&mut self) {
        self.hurries = true;
    }

    /// Whether it was asked in vain to delete, and has not answered that yet.
    #[must_use]
    pub fn owes_a_deletion(&self) -> bool {
        self.owes_a_deletion
    }

    /// Whether the gateway is known to speak the protocol.
    #[must_use]
    pub fn has_answered(&self) -> bool {
        self.seen
    }

    /// How long the gateway took to answer the last time, from when it was first asked.
    #[must_use]
    pub fn answer_time(&self) -> Option<Duration> {
        self.answer_time
    }

    /// For how long the gateway knows its mappings, in seconds; as it last told.
    #[must_use]
    pub fn epoch_seconds(&self) -> Option<u32> {
        self.epoch.seconds()
    }

    /// Asks for a mapping; answered by [`Event::Granted`], [`Event::Refused`] or [`Event::Absent`]. What is granted is told
    /// once the copies of the question are answered, too, or up to 3 s later.
    ///
    /// A client is about one internal port: before another is asked for, the mapping has to be released.
    pub fn request(&mut self, request: &Request, now: Instant) {
        let same = |mapping: &&Mapping| {
            mapping.standing != Standing::Asked
                && (mapping.request.transport, mapping.request.internal_port)
                    == (request.transport, request.internal_port)
        };
        let standing = self.mapping.as_ref().filter(same).map_or(Standing::Asked, |_| Standing::Doubtful);
        self.mapping = Some(Mapping {
            request: request.clone(),
            external_port: request.external_port,
            external_address: None,
            standing,
        });
        self.ask_for_mapping(now);
    }

    /// Asks for the same mapping again: the wanted lease, the granted port and address. Does nothing without one.
    ///
    /// Answered as a [`request`](Self::request) is. A refusal does not mean that the mapping is gone.
    pub fn renew(&mut self, now: Instant) {
        self.ask_for_mapping(now);
    }

    /// Does not repeat the open question any more. An answer still counts.
    ///
    /// A gateway that is slow rather than deaf works on every copy (miniupnpd 2.3.1, measured), and answers no other
    /// protocol before it is done.
    pub fn fall_silent(&mut self) {
        self.transmit = None;
        self.settle_now();
        if let Some(exchange) = &mut self.exchange {
            exchange.retransmission = None;
        }
    }

    /// Asks the gateway to forget the mapping; answered by [`Event::Released`], at once where there is none.
    ///
    /// Also undoes a request that was not answered yet.
    pub fn release(&mut self, now: Instant) {
        self.released_again = false;
        self.ask_to_forget(now);
    }

    fn ask_to_forget(&mut self, now: Instant) {
        match &self.mapping {
            Some(mapping) => {
                let packet = self.protocol.delete(mapping);
                self.ask(Question::Release, packet, P::settings().release, now);
            }
            None => self.end_deletion(true),
        }
    }

    /// Takes over a mapping that another client was granted, to [`renew`](Self::renew) or to
    /// [`release`](Self::release) it. `request` is what to ask for from now on.
    pub fn resume(&mut self, request: &Request, grant: &Grant) {
        self.seen = true;
        self.mapping = Some(Mapping {
            request: Request { internal_port: grant.internal_port, ..request.clone() },
            external_port: grant.external_port,
            external_address: grant.external_address,
            standing: Standing::Held,
        });
    }

    /// A datagram from the socket that the questions were sent from.
    pub fn handle_datagram(&mut self, from: SocketAddr, payload: &[u8], now: Instant) {
        if !self.protocol.is_server(from, self.gateway) {
            tracing::debug!(%from, gateway = %self.gateway, "answer from elsewhere dropped");
            return;
        }
        let reply = self.protocol.read(payload);
        self.owes_a_deletion &= !reply.as_ref().is_some_and(Reply::may_answer_a_deletion);
        match reply {
            Some(Reply::VersionUnsupported { supported }) => {
                self.abandon(Absence::VersionUnsupported { supported }, now);
            }
            Some(Reply::Probe { epoch_seconds, answer }) if self.open(Question::Probe) => {
                self.probe_answered(epoch_seconds, answer, now);
            }
            Some(Reply::Mapping { epoch_seconds, transport, internal_port, answer })
                if self.is_asked_for(transport, internal_port) =>
            {
                self.mapping_answered(epoch_seconds, answer, now);
            }
            Some(Reply::Mapping { transport, internal_port, answer, .. })
                if self.is_settling(transport, internal_port) =>
            {
                self.copy_answered(answer);
            }
            Some(Reply::Mapping { epoch_seconds, transport, internal_port, answer: Ok(assignment) })
                if self.is_update(transport, internal_port, assignment) =>
            {
                self.observe_epoch(epoch_seconds, now);
                self.restarted();
            }
            _ => tracing::debug!(%from, length = payload.len(), "no answer to the open question: dropped"),
        }
    }

    /// A datagram to 224.0.0.1 or ff02::1, port [`ANNOUNCEMENT_PORT`](super::ANNOUNCEMENT_PORT).
    ///
    /// If it shows that the gateway lost its state, [`Event::GatewayRestarted`] follows after a random time of up to
    /// [`RESTART_DELAY_MAXIMUM`], because every other client on the link has heard it too; or, after
    /// [`hurry`](Self::hurry), at once.
    pub fn handle_announcement(&mut self, from: SocketAddr, payload: &[u8], now: Instant) {
        let reply = self.protocol.read(payload).filter(|_| from.ip().to_canonical() == self.gateway);
        let Some(Reply::Probe { epoch_seconds, answer }) = reply else {
            tracing::debug!(%from, length = payload.len(), "no announcement of the gateway: dropped");
            return;
        };
        self.seen = true;
        let lost = self.observe_epoch(epoch_seconds, now) || P::ANNOUNCES_ONLY_LOSS;
        if lost && self.restart_at.is_none() {
            let longest = if self.hurries { Duration::ZERO } else { RESTART_DELAY_MAXIMUM };
            self.restart_at = Some(now + self.random.up_to(longest));
        }
        match answer {
            Ok(address) if self.open(Question::Probe) => self.available(address),
            Ok(address) if P::ADDRESS_COMES_WITH_PROBE && address != self.external_address => {
                self.external_address = address;
                self.tell(Event::ExternalAddressChanged(address));
            }
            Ok(_) => {}
            Err(refusal) => tracing::debug!(?refusal, "gateway announces a failure"),
        }
    }

    /// The gateway's port is closed (ICMP port unreachable): no answer will come.
    pub fn handle_unreachable(&mut self, now: Instant) {
        self.abandon(Absence::Refused, now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.restart_at.is_some_and(|at| at <= now) {
            self.restart_at = None;
            self.restarted();
        }
        if self.settling.as_ref().is_some_and(|settling| settling.until <= now) {
            self.settle_now();
        }
        let Some(exchange) = &mut self.exchange else { return };
        match &mut exchange.retransmission {
            Some(retransmission) if retransmission.deadline() <= now => {
                if retransmission.advance(now, &mut self.random) {
                    exchange.copies += 1;
                    self.transmit = Some(exchange.packet.clone());
                } else {
                    exchange.retransmission = None;
                    let question = exchange.question;
                    self.give_up(question);
                }
            }
            _ => {}
        }
    }

    /// A datagram for the gateway's port [`SERVER_PORT`](super::SERVER_PORT).
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.take()
    }

    /// In the order of what happened. Of one datagram: [`Event::GatewayRestarted`], then
    /// [`Event::ExternalAddressChanged`], then what it answers.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`], once everything else has been polled; output that waits is no deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let retransmission = self.exchange.as_ref().and_then(|exchange| exchange.retransmission.as_ref());
        let settles = self.settling.as_ref().map(|settling| settling.until);
        [self.restart_at, retransmission.map(Retransmission::deadline), settles].into_iter().flatten().min()
    }

    fn ask(&mut self, question: Question, packet: Vec<u8>, schedule: Schedule, now: Instant) {
        self.settling = None;
        self.transmit = Some(packet.clone());
        let schedule = Schedule { first: schedule.first.max(self.first_wait()), ..schedule };
        let retransmission = Some(Retransmission::new(schedule, now, &mut self.random));
        self.exchange = Some(Exchange { question, asked: now, copies: 0, packet, retransmission });
    }

    /// A slow gateway works on every copy of a question, so that each makes all of them slower.
    fn first_wait(&self) -> Duration {
        let expected = self.answer_time.unwrap_or_default() * ANSWERS_TO_WAIT;
        expected.clamp(FIRST_WAIT, LONGEST_FIRST_WAIT)
    }

    fn ask_for_mapping(&mut self, now: Instant) {
        let Some(mapping) = &self.mapping else { return };
        let settings = P::settings();
        let schedule = match mapping.standing {
            _ if !self.seen => settings.probe,
            Standing::Held => settings.renewal,
            Standing::Asked | Standing::Doubtful => settings.request,
        };
        let packet = self.protocol.map(mapping);
        self.ask(Question::Map, packet, schedule, now);
    }
}
