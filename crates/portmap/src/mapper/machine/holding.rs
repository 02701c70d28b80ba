//! The mapping that is held: how it is taken, looked after, and lost.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::super::elsewhere::Place;
use super::super::schedule::{Backoff, next_check, renewal};
use super::super::speaker::Standing;
use super::super::values::{Control, Event, Mapping, Record, Remembered, Settings};
use super::{Mapper, State, Untold};
use crate::cause::Cause;
use crate::client::Grant;

#[derive(Debug)]
pub(super) struct Held {
    /// `None` once it was deleted from another address.
    pub(super) place: Option<Place>,
    pub(super) grant: Grant,
    pub(super) record: Record,
    pub(super) renews: Instant,
    pub(super) expires: Option<Instant>,
    pub(super) lost: bool,
}

impl Mapper {
    pub(super) fn granted(&mut self, grant: Grant, now: Instant) {
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

    pub(super) fn confirmed(&mut self, now: Instant) {
        if let Some(renews) = self.held.as_ref().map(|held| held.renews) {
            self.hold(renews, now);
        }
    }

    /// Looks at the mapping again when it is due.
    pub(super) fn hold(&mut self, renews: Instant, now: Instant) {
        let deletion = self.latest_deletion.filter(|at| *at > now);
        let check = next_check(renews, &mut self.random, now);
        self.state = State::Holding { checks: deletion.map_or(check, |at| at.min(check)) };
    }

    pub(super) fn readdressed(&mut self, index: usize, address: Option<IpAddr>) {
        self.speakers[index].stand(Standing::Available { external_address: address });
        self.address_is(address.or_else(|| self.address_told()));
    }

    pub(super) fn address_is(&mut self, address: Option<IpAddr>) {
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

    /// Without a mapping to keep, the end; with one, another try later.
    pub(super) fn fail(&mut self, cause: Cause, now: Instant) {
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

    pub(super) fn notice_expiry(&mut self, now: Instant) {
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
}

impl Held {
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        (self.grant.external_port, self.grant.external_address)
            == (other.grant.external_port, other.grant.external_address)
    }
}

impl Settings {
    pub(super) fn mapping(&self, held: &Held) -> Mapping {
        Mapping {
            internal: SocketAddr::new(self.internal, held.grant.internal_port.get()),
            external_address: held.grant.external_address,
            lease: held.grant.lease,
            record: held.record.clone(),
        }
    }
}
