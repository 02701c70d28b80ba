//! One mapping or pinhole of the session, and what keeps it.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use anyhow::Result;
use net::{MapperSockets, clock, random};
use portmap::cause::Cause as Gateways;
use portmap::mapper::{Event, MadeElsewhere, Mapper, Mapping, Protocol, Record, Settings, Wanted};
use portmap::pcp::Nonce;
use rustix::event::PollFd;

use super::place::Place;
use crate::cause::{Cause, Trouble};
use crate::configuration::search_window;
use crate::session::{Kept, Mapped, Opening, Toward};
use crate::state::remembered;
use crate::state::saved_mapping::SavedMapping;

pub(super) struct Upkeep {
    pub(super) opening: Opening,
    place: Place,
    mapper: Mapper,
    sockets: MapperSockets,
    /// What to delete, should this process die.
    kept: Option<Kept>,
    /// What the gateway is asked for, by each protocol.
    asked: BTreeMap<Protocol, Kept>,
    /// What may stay behind.
    left: Vec<Kept>,
    lease: Duration,
    /// What the logins know of it.
    told: Option<Mapped>,
    /// The server command knows how it went at first, and of a mapping its address.
    pub(super) is_answered: bool,
}

/// What the keeper has to do about an event.
pub(super) struct Consequences {
    pub(super) is_state_new: bool,
    pub(super) answer: Option<Result<Mapped, Trouble>>,
}

impl Upkeep {
    /// Begins to look for the gateway.
    pub(super) fn begin(
        toward: &Toward,
        description: &str,
        lease: Duration,
        budget: Duration,
    ) -> Result<Self> {
        let Toward { internal, gateway, internal_is_fixed } = *toward;
        let settings = Settings {
            internal,
            gateway: Some(gateway),
            protocols: Protocol::ALL.to_vec(),
            remembered: remembered::recall(gateway),
            description: description.to_owned(),
            lease,
            only_this_lease: false,
            search_window: search_window(budget),
            nonce: nonce()?,
            seed: random::u64()?,
        };
        Ok(Self {
            opening: toward.opening(),
            place: Place::new(internal, gateway, internal_is_fixed),
            mapper: Mapper::new(settings, clock::now()),
            sockets: MapperSockets::open(internal, Some(gateway))?,
            kept: None,
            asked: BTreeMap::new(),
            left: Vec::new(),
            lease,
            told: None,
            is_answered: false,
        })
    }

    pub(super) fn perform(&mut self) {
        self.sockets.perform(&mut self.mapper, clock::now());
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.mapper.poll_event()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.mapper.poll_timeout().into_iter().chain(self.place.poll_timeout()).min()
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.sockets.descriptors().into_iter().chain(self.place.descriptor())
    }

    pub(super) fn receive(&mut self) {
        self.sockets.receive(&mut self.mapper, clock::now());
    }

    pub(super) fn handle_timeout(&mut self) {
        self.mapper.handle_timeout(clock::now());
    }

    /// Whether what was mapped, or asked for, is now what another address has made.
    pub(super) fn has_moved(&mut self) -> bool {
        let Some((internal, gateway)) = self.place.moved(clock::now()) else { return false };
        tracing::info!(%internal, ?gateway, "moved");
        match self.sockets.reopen(internal, gateway) {
            Ok(()) => self.mapper.move_to(internal, gateway, clock::now()),
            Err(error) => {
                tracing::debug!(%error, "the new address is gone again");
                return false;
            }
        }
        let elsewhere: Vec<_> =
            self.mapper.made_elsewhere().map(|made| (made.internal, made.record.external_port)).collect();
        let is_elsewhere =
            |kept: &mut Kept| elsewhere.contains(&(kept.mapping.internal, kept.mapping.external_port));
        let was_asked = !mem::take(&mut self.asked).is_empty();
        self.kept.take_if(is_elsewhere).is_some() || was_asked
    }

    /// Only from other addresses it can be deleted.
    pub(super) fn made_elsewhere(&self) -> impl Iterator<Item = Kept> {
        self.mapper.made_elsewhere().map(|MadeElsewhere { internal, record, expires }| {
            let seconds_left = expires.map(|at| at.saturating_duration_since(clock::now()).as_secs());
            Kept {
                mapping: SavedMapping::new(internal, &record),
                external_address: None,
                expires: seconds_left.map(|seconds| clock::unix_seconds() + seconds),
            }
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.mapper.has_ended()
    }

    pub(super) fn hears_a_gateway(&self) -> bool {
        self.mapper.hears_a_gateway()
    }

    /// The gateway's address there, mapping or not.
    pub(super) fn outside(&self) -> Option<IpAddr> {
        self.mapper.outside_address()
    }

    pub(super) fn map(&mut self, wanted: Wanted) {
        self.mapper.map(wanted, clock::now());
    }

    pub(super) fn insist(&mut self, port: NonZeroU16) {
        self.mapper.insist(port, clock::now());
    }

    pub(super) fn release(&mut self) {
        self.mapper.release(clock::now());
    }

    pub(super) fn handle_event(&mut self, event: Event) -> Consequences {
        tracing::debug!(opening = ?self.opening, ?event);
        let mut consequences = Consequences { is_state_new: false, answer: None };
        match event {
            Event::Asked(record) => {
                self.asked.insert(record.protocol, self.unanswered(&record));
                consequences.is_state_new = true;
            }
            Event::Left(record) => {
                self.left.push(as_granted(self.unanswered(&record), self.kept.as_ref()));
                self.left.dedup();
            }
            Event::Mapped(mapping) => {
                self.remember(&mapping);
                self.keep(&mapping);
                consequences.is_state_new = true;
                consequences.answer = Some(Ok(self.tell(&mapping)));
            }
            Event::Changed(mapping) | Event::Renewed(mapping) => {
                self.remember(&mapping);
                self.keep(&mapping);
                consequences.is_state_new = true;
                // Only now it may be known where it leads from.
                let is_news = !self.is_answered || self.told != Some(Mapped::from(&mapping));
                consequences.answer = is_news.then(|| Ok(self.tell(&mapping)));
            }
            Event::Lost(cause) => {
                tracing::info!(%cause, "lost");
                self.told = None;
                // It is no way in any more, but still to be deleted if it is found to be ours.
                consequences.is_state_new =
                    self.kept.as_mut().and_then(|kept| kept.external_address.take()).is_some();
            }
            Event::Failed(cause) => {
                consequences.answer = Some(Err(Cause::Gateways(cause).trouble()));
            }
            Event::Released { .. } => {
                consequences.is_state_new = self.kept.take().is_some();
            }
        }
        let answers = |outcome: &Result<Mapped, Trouble>| {
            outcome.as_ref().map_or(true, |mapped| mapped.external_address.is_some())
        };
        self.is_answered |= consequences.answer.as_ref().is_some_and(answers);
        consequences
    }

    fn tell(&mut self, mapping: &Mapping) -> Mapped {
        self.told.insert(Mapped::from(mapping)).clone()
    }

    /// As the logins know it.
    pub(super) fn mapped(&self) -> Option<&Mapped> {
        self.told.as_ref()
    }

    fn remember(&self, mapping: &Mapping) {
        if let Some(learnt) = self.mapper.learnt() {
            remembered::remember(mapping.record.control.gateway(), &learnt);
        }
    }

    /// All that is to be deleted, should this process die.
    pub(super) fn recorded(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().chain(self.asked.values()).chain(&self.left)
    }

    /// What of it may stay behind, now that it has ended.
    pub(super) fn undeleted(&self) -> impl Iterator<Item = &Kept> {
        self.left.iter()
    }

    fn unanswered(&self, record: &Record) -> Kept {
        let mapping = SavedMapping::new(self.place.internal(), record);
        let expires = clock::unix_seconds() + self.lease.as_secs();
        // By UPnP it may be made without an end, where the router knows no other.
        let expires = Some(expires).filter(|_| record.protocol != Protocol::Upnp);
        Kept { mapping, external_address: None, expires }
    }

    fn keep(&mut self, mapping: &Mapping) {
        self.asked.remove(&mapping.record.protocol);
        let saved = SavedMapping::new(mapping.internal.ip(), &mapping.record);
        let expires = mapping.lease.map(|lease| clock::unix_seconds() + lease.as_secs());
        self.kept = Some(Kept { mapping: saved, external_address: mapping.external_address, expires });
    }
}

/// With the end that was told of it, where it is the one that was held.
fn as_granted(left: Kept, held: Option<&Kept>) -> Kept {
    match held.filter(|held| held.mapping == left.mapping) {
        Some(held) => Kept { expires: held.expires, ..left },
        None => left,
    }
}

fn nonce() -> Result<Nonce> {
    let mut nonce = Nonce([0; 12]);
    random::fill(&mut nonce.0)?;
    Ok(nonce)
}

/// A mapping on a router that is itself behind a NAT may still work, where that one forwards everything.
fn caution(mapping: &Mapping) -> Option<Trouble> {
    let gateway = mapping.record.control.gateway();
    let cause = Gateways::of_external_address(gateway, mapping.external_address);
    cause.map(|cause| Cause::Gateways(cause).trouble())
}

impl From<&Mapping> for Mapped {
    fn from(mapping: &Mapping) -> Self {
        Self {
            external_address: mapping.external_address,
            external_port: mapping.external_port(),
            caution: caution(mapping),
        }
    }
}

#[cfg(test)]
mod tests {
    use portmap::mapping::Transport;

    use super::*;
    use crate::state::saved_mapping::tests::{saved, upnp_control};

    #[test]
    fn what_was_held_without_an_end_is_left_without_one() {
        let mapping = saved(upnp_control("http://192.168.1.1/control"), Transport::Udp);
        let another = saved(upnp_control("http://192.168.1.1/another"), Transport::Udp);
        let held = Kept { mapping: mapping.clone(), external_address: None, expires: None };
        let left = |mapping| Kept { mapping, external_address: None, expires: Some(7) };
        assert_eq!(as_granted(left(mapping), Some(&held)).expires, None);
        assert_eq!(as_granted(left(another.clone()), Some(&held)).expires, Some(7));
        assert_eq!(as_granted(left(another), None).expires, Some(7));
    }
}
