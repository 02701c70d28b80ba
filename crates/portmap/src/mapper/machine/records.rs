//! What somebody has to write down: mappings that are asked for, and those that may stay behind.

use std::mem::discriminant;
use std::num::NonZeroU16;
use std::time::Instant;

use super::super::values::{Event, Protocol, Record};
use super::Mapper;
use crate::client::{self, Absence, Grant, Refusal};

impl Mapper {
    /// What the answers of a protocol say of that.
    pub(super) fn note(&mut self, index: usize, event: &client::Event) {
        let protocol = self.speakers[index].protocol;
        match event {
            client::Event::Making { external_port } => self.making(index, *external_port),
            client::Event::Refused(Refusal::LeftBehind { port, .. }) => {
                self.resolve(protocol);
                self.unresolved.extend(self.record(index, *port));
            }
            // By UPnP it was looked for.
            client::Event::Refused(Refusal::NoAnswer) if protocol != Protocol::Upnp => {}
            client::Event::Granted(_)
            | client::Event::Refused(_)
            | client::Event::Absent(Absence::VersionUnsupported { .. })
            | client::Event::Released { confirmed: true } => self.resolve(protocol),
            // Of one that is absent since nobody knows what it keeps.
            client::Event::Available { .. }
            | client::Event::Absent(_)
            | client::Event::Confirmed
            | client::Event::Released { confirmed: false }
            | client::Event::GatewayRestarted
            | client::Event::GatewayAlive
            | client::Event::ExternalAddressChanged(_) => {}
        }
    }

    /// What is asked next may make this mapping. Nothing goes out until its record was fetched.
    pub(super) fn making(&mut self, index: usize, external_port: NonZeroU16) {
        let Some(record) = self.record(index, external_port) else { return };
        let place = self.place();
        let held = self.held.as_ref().filter(|held| held.place == place).map(|held| &held.record);
        if held.into_iter().chain(&self.unresolved).any(|known| known.is_about_the_same(&record)) {
            return;
        }
        self.unresolved.retain(|before| before.protocol != record.protocol);
        self.unresolved.push(record.clone());
        self.events.push_back(Event::Asked(record));
    }

    /// Whether somebody has yet to be told what is going to be made.
    pub(super) fn is_unrecorded(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Asked(_)))
    }

    /// By this protocol nothing may be there any more but what is held.
    pub(super) fn resolve(&mut self, protocol: Protocol) {
        self.unresolved.retain(|record| record.protocol != protocol);
    }

    /// What may be there, or is asked for and not answered, and is not held. An owner who has no more time for a mapper
    /// than until [`Event::Mapped`] writes these down as [`Event::Left`] are.
    #[must_use]
    pub fn unresolved(&self) -> &[Record] {
        &self.unresolved
    }

    /// One protocol has granted it: whatever the others have made, or may make yet, is given back.
    pub(super) fn give_back_others(&mut self, protocol: Protocol, now: Instant) {
        let place = self.place();
        let held = self.held.as_ref().filter(|held| held.place == place).map(|held| held.record.clone());
        if let Some(held) = held.filter(|held| held.protocol != protocol) {
            self.resolve(held.protocol);
            self.unresolved.push(held);
        }
        let Some(request) = self.job.as_ref().map(|job| job.request(self.settings.lease)) else { return };
        for record in self.unresolved.iter().filter(|record| record.protocol != protocol) {
            let grant = record.grant();
            let speaker = self.speakers.iter_mut().find(|speaker| speaker.protocol == record.protocol);
            speaker.into_iter().for_each(|speaker| speaker.release(&request, &grant, now));
        }
    }

    /// Nobody waits for those any longer, nor for what else was left at this address.
    pub(super) fn leave_unresolved(&mut self) {
        let here = self.elsewhere.take_at(self.place(), |_| true);
        self.events.extend(self.unresolved.drain(..).chain(here).map(Event::Left));
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

impl Record {
    pub(super) fn grant(&self) -> Grant {
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
