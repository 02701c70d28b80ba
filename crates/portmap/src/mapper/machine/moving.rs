//! What becomes of a mapping when the host gets another address, and when it is back.

use std::mem;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Instant;

use super::super::elsewhere::{Made, Place};
use super::super::values::{Control, MadeElsewhere, Protocol, Record};
use super::{Held, Mapper, State, speakers};

impl Mapper {
    /// The host has another address or another gateway now. The mapping is made again there; that of the old address
    /// is remembered until it is taken again, deleted or over ([`Self::made_elsewhere`]).
    pub fn move_to(&mut self, internal: IpAddr, gateway: Option<IpAddr>, now: Instant) {
        if (Place { internal, gateway }) == self.place() || self.is_leaving() {
            return;
        }
        self.leave_behind(now);
        self.take_untold();
        self.settings.internal = internal;
        self.settings.gateway = gateway;
        self.settings.remembered = None;
        self.speakers = speakers(&self.settings, now);
        self.handle_networks(self.networks.clone());
        self.recall(now);
        self.seek(now);
    }

    /// What this host has mapped from addresses that it does not have now: only from there it can be deleted, as far as
    /// is known. With it what it made from its present address before and has not seen deleted yet.
    pub fn made_elsewhere(&self) -> impl Iterator<Item = MadeElsewhere> {
        self.elsewhere.all()
    }

    pub(super) fn place(&self) -> Place {
        Place { internal: self.settings.internal, gateway: self.settings.gateway }
    }

    fn leave_behind(&mut self, now: Instant) {
        self.remember_unresolved(now);
        let place = self.place();
        if let Some(held) = self.held.as_ref().filter(|held| held.place == Some(place)) {
            let (record, grant) = (held.record.clone(), held.grant.clone());
            let made = Made { place, record, grant, port_is_known: true, expires: held.expires };
            self.elsewhere.remember(made, now);
        }
    }

    /// What questions may have made that nobody comes back to. A pinhole has no number before it is granted.
    pub(super) fn remember_unresolved(&mut self, now: Instant) {
        let place = self.place();
        let expires = Some(now + self.settings.lease);
        let has_number =
            |record: &Record| place.internal.is_ipv4() || !matches!(record.control, Control::Upnp(_));
        let unresolved = mem::take(&mut self.unresolved).into_iter().map(|unresolved| unresolved.record);
        for record in unresolved.filter(has_number) {
            let grant = record.grant();
            let port_is_known = record.protocol == Protocol::Upnp;
            self.elsewhere.remember(Made { place, record, grant, port_is_known, expires }, now);
        }
    }

    /// A pinhole is held for longer by its number, a mapping known again by how the table lists it; without that,
    /// another one is made.
    fn recall(&mut self, now: Instant) {
        let Some(made) = self.elsewhere.at(self.place(), now) else { return };
        let speaker = self.speakers.iter_mut().find(|speaker| speaker.protocol == made.record.protocol);
        speaker.into_iter().for_each(|speaker| speaker.recall(made));
    }

    /// Makes room first, where this gateway lets any address do so: what is still there has the port that was told.
    pub(super) fn begin_to_request(&mut self, now: Instant) {
        if !self.delete_from_afar(now) {
            self.request_first_port(now);
        }
    }

    fn delete_from_afar(&mut self, now: Instant) -> bool {
        let (here, Some(index)) = (self.place(), self.chosen) else { return false };
        let gateway = self.gateway();
        let speaker = &mut self.speakers[index];
        if speaker.protocol != Protocol::Upnp {
            return false;
        }
        let Some(made) = self.elsewhere.deletable_by(gateway, here, now) else { return false };
        let internal = made.place.internal;
        self.state = State::DeletingFromAfar { internal, port: made.record.external_port };
        speaker.release_made(made, now);
        true
    }

    pub(super) fn deleted_from_afar(
        &mut self,
        internal: IpAddr,
        port: NonZeroU16,
        confirmed: bool,
        now: Instant,
    ) {
        match confirmed {
            true => {
                self.elsewhere.deleted(internal, Protocol::Upnp, port);
                self.forget_where_it_is_held(internal, port);
            }
            false => self.elsewhere.denied_by(self.gateway()),
        }
        self.state = State::Ready;
        self.begin_to_request(now);
    }

    /// Back there, it is made anew.
    fn forget_where_it_is_held(&mut self, internal: IpAddr, port: NonZeroU16) {
        let is_it = |held: &&mut Held| {
            (held.record.protocol, held.record.external_port) == (Protocol::Upnp, port)
                && held.place.is_some_and(|place| place.internal == internal)
        };
        if let Some(held) = self.held.as_mut().filter(is_it) {
            held.place = None;
        }
    }

    /// What is held or was made here before is asked for, so that it does not stay beside another.
    fn request_first_port(&mut self, now: Instant) {
        let place = self.place();
        let held = self.held.as_ref().filter(|held| held.place == Some(place));
        let made = || self.elsewhere.at(place, now).map(|made| made.record.external_port);
        let known = held.map(|held| held.record.external_port).or_else(made);
        let Some(job) = &mut self.job else { return };
        match known.filter(|&port| job.accepts(port)) {
            Some(port) => job.ports.restart_at(port),
            None => job.ports.restart(),
        }
        self.request(now);
    }

    /// With a mapping of this place held again, what else was made here before is not wanted any more.
    pub(super) fn take_again_or_delete(&mut self, now: Instant) {
        let (place, Some(held)) = (self.place(), &self.held) else { return };
        self.elsewhere.take_at(place, |made| is_taken_again(made, &held.record));
        let Some(made) = self.elsewhere.at(place, now) else { return };
        let Some(index) = self.speaker_of(made.record.protocol) else { return };
        let speaker = &mut self.speakers[index];
        if speaker.is_undoing() {
            return;
        }
        if self.chosen != Some(index) {
            speaker.resume(&made.record, &made.request(), &made.grant);
        }
        speaker.release_made(made, now);
        self.deleting_here = Some((made.record.protocol, made.record.external_port));
    }

    /// One question at a time. What is not seen deleted is tried again with the next grant.
    pub(super) fn deleted_here(
        &mut self,
        index: usize,
        port: Option<NonZeroU16>,
        confirmed: bool,
        now: Instant,
    ) {
        let protocol = self.speakers[index].protocol;
        let of_this = |deleting: &mut (Protocol, NonZeroU16)| {
            deleting.0 == protocol && port.is_none_or(|port| port == deleting.1)
        };
        let Some((_, port)) = self.deleting_here.take_if(of_this).filter(|_| confirmed) else { return };
        self.elsewhere.deleted(self.settings.internal, protocol, port);
        self.take_again_or_delete(now);
    }
}

/// A gateway has one of a number. PCP and NAT-PMP know a mapping by what it leads to, a firewall a pinhole.
fn is_taken_again(Made { record, port_is_known, .. }: &Made, held: &Record) -> bool {
    let by_target = record.protocol != Protocol::Upnp || matches!(record.control, Control::Pinhole { .. });
    *port_is_known && record.external_port == held.external_port
        || record.protocol == held.protocol && by_target
}
