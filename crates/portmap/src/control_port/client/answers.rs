//! What answers, and their absence, mean for the open question and for the mapping.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::{Client, EVENTS_MAXIMUM, LONGEST_QUEUE, QUEUES_TO_WAIT, Question, Settling};
use crate::client::{Absence, Event, Grant, Refusal};
use crate::control_port::{Assignment, LEASE_MAXIMUM, Mapping, Protocol, Standing};
use crate::mapping::Transport;

impl<P: Protocol> Client<P> {
    pub(super) fn open(&self, question: Question) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.question == question)
    }

    /// Whether the open question is about this port.
    pub(super) fn is_asked_for(&self, transport: Transport, internal_port: Option<u16>) -> bool {
        let asked = self.exchange.as_ref().is_some_and(|exchange| exchange.question != Question::Probe);
        asked && self.mapping.as_ref().is_some_and(|mapping| mapping.is_of(transport, internal_port))
    }

    /// Whether the gateway tells, unasked, that our mapping is not what it granted (RFC 6887 §14.2).
    pub(super) fn is_update(
        &self,
        transport: Transport,
        internal_port: Option<u16>,
        assignment: Assignment,
    ) -> bool {
        P::TELLS_OF_CHANGES
            && self.mapping.as_ref().is_some_and(|mapping| {
                mapping.standing == Standing::Held
                    && mapping.is_of(transport, internal_port)
                    && !(assignment.lifetime_seconds > 0
                        && assignment.external_port == mapping.external_port.get()
                        && assignment.external_address == mapping.external_address)
            })
    }

    pub(super) fn probe_answered(
        &mut self,
        epoch: Option<u32>,
        answer: Result<Option<IpAddr>, Refusal>,
        now: Instant,
    ) {
        self.seen = true;
        self.measure(now);
        if self.observe_epoch(epoch, now) {
            self.restarted();
        }
        match answer {
            Ok(address) => self.available(address),
            Err(refusal) => {
                self.exchange = None;
                self.tell(Event::Refused(refusal));
            }
        }
    }

    pub(super) fn available(&mut self, address: Option<IpAddr>) {
        self.exchange = None;
        if P::ADDRESS_COMES_WITH_PROBE {
            self.learn_address(address);
        }
        self.tell(Event::Available { external_address: self.external_address });
    }

    pub(super) fn mapping_answered(
        &mut self,
        epoch: Option<u32>,
        answer: Result<Assignment, Refusal>,
        now: Instant,
    ) {
        match (self.open(Question::Map), answer) {
            (true, Ok(assignment)) => self.granted(epoch, assignment, now),
            (true, Err(refusal)) => self.refused(epoch, refusal, now),
            (false, Ok(Assignment { lifetime_seconds: 0, .. })) => {
                self.observe_epoch(epoch, now);
                self.end_deletion(true);
            }
            (false, Ok(_)) if self.open(Question::CutShort) => {
                self.observe_epoch(epoch, now);
                self.end_deletion(false);
            }
            (false, Ok(assignment)) => {
                tracing::debug!(?assignment, "late answer to an earlier request dropped");
            }
            (false, Err(refusal)) => {
                tracing::debug!(?refusal, "the gateway does not delete the mapping");
                self.observe_epoch(epoch, now);
                if self.open(Question::Undo) && self.is_never_granted() {
                    // There is nothing to delete.
                    return self.end_deletion(true);
                }
                match self.cut_short(&refusal) {
                    Some(packet) => self.ask(Question::CutShort, packet, P::settings().release, now),
                    None if self.is_worth_asking_again() => self.ask_to_forget(now),
                    None => self.end_deletion(false),
                }
            }
        }
    }

    /// An answer to the last copy may be one to the first: then it took that long.
    fn measure(&mut self, now: Instant) {
        let asked = self.exchange.as_ref().map(|exchange| exchange.asked);
        self.answer_time = asked.map(|asked| now.saturating_duration_since(asked));
    }

    /// Once.
    fn is_worth_asking_again(&mut self) -> bool {
        self.open(Question::Release) && !std::mem::replace(&mut self.released_again, true)
    }

    fn cut_short(&self, refusal: &Refusal) -> Option<Vec<u8>> {
        let mapping = self.mapping.as_ref().filter(|_| self.open(Question::Release))?;
        self.protocol.cut_short(mapping, refusal)
    }

    pub(super) fn granted(&mut self, epoch: Option<u32>, assignment: Assignment, now: Instant) {
        let port = NonZeroU16::new(assignment.external_port);
        let (Some(port), 1.., Some(mapping)) = (port, assignment.lifetime_seconds, &mut self.mapping) else {
            tracing::debug!(?assignment, "late answer to a deletion, or no usable grant: dropped");
            return;
        };
        let misses = mapping.request.exact && port != mapping.request.external_port;
        let is_new = mapping.standing == Standing::Asked;
        mapping.external_port = port;
        mapping.standing = Standing::Held;
        self.seen = true;
        self.measure(now);
        let exchange = self.exchange.take();
        // Whatever the gateway forgot before, it knows this mapping now.
        self.restart_at = None;
        self.observe_epoch(epoch, now);
        if misses {
            return self.undo(Refusal::CannotProvideExternal, now);
        }
        if !P::ADDRESS_COMES_WITH_PROBE {
            self.learn_address(assignment.external_address);
        }
        self.settling = exchange.filter(|_| is_new).and_then(|exchange| {
            let copies = exchange.copies - u32::from(self.transmit.take().is_some()).min(exchange.copies);
            let queue = (now - exchange.asked) * QUEUES_TO_WAIT;
            let lifetime_seconds = assignment.lifetime_seconds;
            let until = now + queue.min(LONGEST_QUEUE);
            (copies > 0).then_some(Settling { port, lifetime_seconds, copies, until })
        });
        if self.settling.is_none() {
            self.tell_grant(port, assignment.lifetime_seconds);
        }
    }

    pub(super) fn is_settling(&self, transport: Transport, internal_port: Option<u16>) -> bool {
        let is_of_it = |mapping: &Mapping| mapping.is_of(transport, internal_port);
        self.settling.is_some() && self.mapping.as_ref().is_some_and(is_of_it)
    }

    /// The last one counts: that is how it is now.
    pub(super) fn copy_answered(&mut self, answer: Result<Assignment, Refusal>) {
        let Some(settling) = &mut self.settling else { return };
        if let Ok(assignment) = answer
            && let (Some(port), 1..) =
                (NonZeroU16::new(assignment.external_port), assignment.lifetime_seconds)
        {
            (settling.port, settling.lifetime_seconds) = (port, assignment.lifetime_seconds);
        }
        settling.copies -= 1;
        if settling.copies == 0 {
            self.settle_now();
        }
    }

    pub(super) fn settle_now(&mut self) {
        if let Some(Settling { port, lifetime_seconds, .. }) = self.settling.take() {
            self.tell_grant(port, lifetime_seconds);
        }
    }

    pub(super) fn tell_grant(&mut self, external_port: NonZeroU16, lifetime_seconds: u32) {
        let Some(mapping) = &mut self.mapping else { return };
        mapping.external_port = external_port;
        mapping.external_address = self.external_address;
        let grant = Grant {
            external_address: self.external_address,
            external_port,
            internal_port: mapping.request.internal_port,
            lease: Some(Duration::from_secs(lifetime_seconds.into()).min(LEASE_MAXIMUM)),
        };
        self.tell(Event::Granted(grant));
    }

    pub(super) fn undo(&mut self, refusal: Refusal, now: Instant) {
        self.refused_for = Some(refusal);
        let Some(mapping) = &self.mapping else { return };
        let packet = self.protocol.delete(mapping);
        self.ask(Question::Undo, packet, P::settings().release, now);
    }

    pub(super) fn refused(&mut self, epoch: Option<u32>, refusal: Refusal, now: Instant) {
        self.seen = true;
        self.measure(now);
        if self.observe_epoch(epoch, now) {
            self.restarted();
        }
        if let Some(mapping) = &self.mapping
            && self.protocol.concede(mapping, &refusal)
        {
            return self.ask_for_mapping(now);
        }
        if self.is_never_granted() && self.exchange.as_ref().is_some_and(|exchange| exchange.copies > 0) {
            return self.undo(refusal, now);
        }
        self.exchange = None;
        self.forget_unless_granted();
        self.tell(Event::Refused(refusal));
    }

    fn is_never_granted(&self) -> bool {
        self.mapping.as_ref().is_some_and(|mapping| mapping.standing == Standing::Asked)
    }

    pub(super) fn give_up(&mut self, question: Question) {
        match question {
            Question::Map if self.seen => self.tell(Event::Refused(Refusal::NoAnswer)),
            Question::Probe | Question::Map => self.tell(Event::Absent(Absence::NoAnswer)),
            Question::Release | Question::CutShort | Question::Undo => {
                self.owes_a_deletion = true;
                self.end_deletion(false);
            }
        }
    }

    /// No answer will come to the open question.
    pub(super) fn abandon(&mut self, absence: Absence, now: Instant) {
        let open = self.exchange.as_ref().filter(|exchange| exchange.retransmission.is_some());
        match open.map(|exchange| exchange.question) {
            Some(Question::Release) if absence != Absence::Refused && self.is_worth_asking_again() => {
                self.ask_to_forget(now);
            }
            Some(Question::Release | Question::CutShort | Question::Undo) => self.end_deletion(false),
            Some(Question::Probe | Question::Map) => {
                self.exchange = None;
                self.transmit = None;
                self.forget_unless_granted();
                self.tell(Event::Absent(absence));
            }
            None => {}
        }
    }

    pub(super) fn end_deletion(&mut self, confirmed: bool) {
        let undone = self.open(Question::Undo);
        self.exchange = None;
        self.transmit = None;
        self.restart_at = None;
        self.mapping.take_if(|_| confirmed || !undone);
        let refusal = self.refused_for.take().unwrap_or(Refusal::CannotProvideExternal);
        self.tell(match (undone, &self.mapping) {
            (false, _) => Event::Released { port: None, confirmed },
            (true, None) => Event::Refused(refusal),
            // It is still there to be released.
            (true, Some(mapping)) => Event::Refused(Refusal::LeftBehind {
                port: mapping.external_port,
                lease: Some(mapping.request.lease),
            }),
        });
    }

    pub(super) fn forget_unless_granted(&mut self) {
        self.mapping.take_if(|mapping| mapping.standing == Standing::Asked);
    }

    pub(super) fn learn_address(&mut self, address: Option<IpAddr>) {
        let before = std::mem::replace(&mut self.external_address, address);
        if before.is_some() && before != address {
            self.tell(Event::ExternalAddressChanged(address));
        }
    }

    pub(super) fn observe_epoch(&mut self, seconds: Option<u32>, now: Instant) -> bool {
        seconds.is_some_and(|seconds| self.epoch.observe(seconds, now))
    }

    pub(super) fn restarted(&mut self) {
        if let Some(mapping) = &mut self.mapping
            && mapping.standing == Standing::Held
        {
            mapping.standing = Standing::Doubtful;
        }
        self.tell(Event::GatewayRestarted);
    }

    pub(super) fn tell(&mut self, event: Event) {
        if self.events.len() == EVENTS_MAXIMUM {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
