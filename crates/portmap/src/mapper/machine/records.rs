//! What somebody has to write down: mappings that are asked for, and those that may stay behind.

use std::mem::discriminant;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::super::speaker::Speaker;
use super::super::values::{Event, Protocol, Record};
use super::{Mapper, State, Untold};
use crate::client::{self, Absence, Grant, Refusal};

/// Later, a gateway that did not answer does not delete any more what it was asked to.
const LATEST_DELETION: Duration = Duration::from_secs(20);

/// What may be there though it is not held.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) record: Record,
    /// The gateway was asked to delete it, and did not, or did not say so.
    is_asked_in_vain: bool,
}

impl Mapper {
    /// What the answers of a protocol say of that.
    pub(super) fn note(&mut self, index: usize, event: &client::Event) {
        let protocol = self.speakers[index].protocol;
        match event {
            client::Event::Making { external_port } => self.making(index, *external_port),
            client::Event::Refused(Refusal::LeftBehind { port, .. }) => {
                self.doubt(index, *port);
                self.asked_in_vain(protocol, Some(*port));
            }
            // By UPnP it was looked for.
            client::Event::Refused(Refusal::NoAnswer) if protocol != Protocol::Upnp => {}
            client::Event::Granted(_)
            | client::Event::Refused(_)
            | client::Event::Absent(Absence::VersionUnsupported { .. }) => self.resolve(protocol, None),
            client::Event::Released { port, confirmed: true } => self.resolve(protocol, *port),
            client::Event::Released { port, confirmed: false } => self.asked_in_vain(protocol, *port),
            // Of one that is absent since nobody knows what it keeps.
            client::Event::Available { .. }
            | client::Event::Absent(_)
            | client::Event::Confirmed
            | client::Event::GatewayRestarted
            | client::Event::GatewayAlive
            | client::Event::ExternalAddressChanged(_) => {}
        }
    }

    /// What is asked next may make this mapping. Nothing goes out until its record was fetched.
    pub(super) fn making(&mut self, index: usize, external_port: NonZeroU16) {
        let Some(record) = self.record(index, external_port) else { return };
        let place = self.place();
        let held = self.held.as_ref().filter(|held| held.place == Some(place)).map(|held| &held.record);
        if held.into_iter().chain(self.unresolved()).any(|known| known.is_about_the_same(&record)) {
            return;
        }
        self.is_in_doubt(record.clone());
        self.events.push_back(Event::Asked(record));
    }

    /// Whether somebody has yet to be told what is going to be made.
    pub(super) fn is_unrecorded(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Asked(_)))
    }

    /// By this protocol nothing may be there any more but what is held; or, with a port, nothing on that.
    fn resolve(&mut self, protocol: Protocol, port: Option<NonZeroU16>) {
        self.unresolved.retain(|unresolved| !unresolved.is_by(protocol, port));
    }

    pub(super) fn is_in_doubt(&mut self, record: Record) {
        let port = (record.protocol == Protocol::Upnp).then_some(record.external_port);
        self.resolve(record.protocol, port);
        self.unresolved.push(Unresolved { record, is_asked_in_vain: false });
    }

    pub(super) fn doubt(&mut self, index: usize, external_port: NonZeroU16) {
        if let Some(record) = self.record(index, external_port) {
            self.is_in_doubt(record);
        }
    }

    fn asked_in_vain(&mut self, protocol: Protocol, port: Option<NonZeroU16>) {
        for unresolved in self.unresolved.iter_mut().filter(|it| it.is_by(protocol, port)) {
            unresolved.is_asked_in_vain = true;
        }
    }

    /// What may be there, or is asked for and not answered, and is not held. An owner who has no more time for a mapper
    /// than until [`Event::Mapped`] writes these down as [`Event::Left`] are.
    pub fn unresolved(&self) -> impl Iterator<Item = &Record> {
        self.unresolved.iter().map(|unresolved| &unresolved.record)
    }

    /// One protocol has granted it: whatever the others have made, or may make yet, is given back.
    pub(super) fn give_back_others(&mut self, protocol: Protocol, now: Instant) {
        let place = self.place();
        let held =
            self.held.as_ref().filter(|held| held.place == Some(place)).map(|held| held.record.clone());
        if let Some(held) = held.filter(|held| held.protocol != protocol) {
            self.is_in_doubt(held);
        }
        self.give_back_all_but(Some(protocol), now);
    }

    pub(super) fn give_back_all_but(&mut self, kept: Option<Protocol>, now: Instant) {
        let Some(request) = self.job.as_ref().map(|job| job.request(self.settings.lease)) else { return };
        let others =
            self.unresolved.iter().filter(|it| Some(it.record.protocol) != kept && !it.is_asked_in_vain);
        for Unresolved { record, .. } in others {
            let speaker = self.speakers.iter_mut().find(|speaker| speaker.protocol == record.protocol);
            if let Some(speaker) = speaker.filter(|speaker| !speaker.is_undoing()) {
                speaker.give_back(record, &request, now);
            }
        }
    }

    /// What this protocol has made, or may make yet.
    pub(super) fn give_back(&mut self, index: usize, grant: &Grant, now: Instant) {
        let Some(request) = self.job.as_ref().map(|job| job.request(self.settings.lease)) else { return };
        self.doubt(index, grant.external_port);
        self.speakers[index].undo(&request, grant, now);
    }

    /// One after the other of each protocol.
    pub(super) fn given_back(&mut self, confirmed: bool, now: Instant) {
        if matches!(self.state, State::Holding { .. } | State::Undoing) {
            self.give_back_all_but(self.held.as_ref().map(|held| held.record.protocol), now);
        }
        self.latest_deletion = if confirmed { self.latest_deletion } else { Some(now + LATEST_DELETION) };
        self.untold.iter_mut().for_each(Untold::doubt);
        match self.state {
            // Looks by itself, when all is given back.
            State::Holding { .. } if self.untold.is_some() => self.tell_once_sure(now),
            // It may have been, or may be yet, the same entry of the gateway's table.
            State::Holding { .. } if confirmed => self.ask(Speaker::check, now),
            State::Holding { checks } => {
                self.state = State::Holding { checks: checks.min(now + LATEST_DELETION) };
            }
            State::Undoing => self.end_once_all_is_given_back(),
            _ => {}
        }
    }

    /// Nobody waits for those any longer, nor for what else was left at this address.
    pub(super) fn leave_unresolved(&mut self) {
        let here = self.elsewhere.take_at(self.place(), |_| true);
        let unresolved = self.unresolved.drain(..).map(|unresolved| unresolved.record);
        self.events.extend(unresolved.chain(here).map(Event::Left));
    }

    pub(super) fn record(&self, index: usize, external_port: NonZeroU16) -> Option<Record> {
        let (speaker, wanted) = (&self.speakers[index], &self.job.as_ref()?.wanted);
        Some(Record {
            protocol: speaker.protocol,
            transport: wanted.transport,
            internal_port: wanted.internal_port,
            external_port,
            control: speaker.control()?,
            listing: speaker.listing(),
        })
    }
}

impl Unresolved {
    fn is_by(&self, protocol: Protocol, port: Option<NonZeroU16>) -> bool {
        self.record.protocol == protocol && port.is_none_or(|port| port == self.record.external_port)
    }
}

impl Record {
    pub(in super::super) fn grant(&self) -> Grant {
        let Self { external_port, internal_port, .. } = *self;
        Grant { external_address: None, external_port, internal_port, lease: None }
    }

    /// The gateway may tell another external address since, or the table another name. The number of a pinhole counts:
    /// without it there is nothing to delete.
    pub(super) fn is_about_the_same(&self, other: &Self) -> bool {
        (self.protocol, self.external_port, discriminant(&self.control), self.control.gateway())
            == (other.protocol, other.external_port, discriminant(&other.control), other.control.gateway())
    }
}
