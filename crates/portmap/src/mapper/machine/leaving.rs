//! How a mapping ends: for good, or because another was wanted.

use std::num::NonZeroU16;
use std::time::Instant;

use super::super::speaker::{Speaker, Standing};
use super::super::values::{Event, Protocol};
use super::{Mapper, State};
use crate::cause::Cause;
use crate::client::Grant;

impl Mapper {
    /// Deletes the mapping, or what the open question may still make; answered by [`Event::Released`].
    pub fn release(&mut self, now: Instant) {
        if self.is_leaving() {
            return;
        }
        let place = self.place();
        self.untold = None;
        let held = self.held.take().filter(|held| held.place == Some(place));
        if let Some(held) = &held {
            self.elsewhere.take_at(place, |made| made.record.is_about_the_same(&held.record));
            self.is_in_doubt(held.record.clone());
        }
        let asking = matches!(self.state, State::Requesting { .. } | State::Discarding);
        let Some(job) = self.job.as_ref().filter(|_| held.is_some() || asking) else {
            return self.part(Some(Event::Released { confirmed: true }), now);
        };
        let request = job.request(self.settings.lease);
        let grant = held.as_ref().map_or_else(|| job.requested_grant(), |held| held.grant.clone());
        let holder = held.as_ref().and_then(|held| self.speaker_of(held.record.protocol));
        let index = self.chosen.or(holder);
        let Some(speaker) = index.map(|index| &mut self.speakers[index]) else {
            return self.part(Some(Event::Released { confirmed: false }), now);
        };
        if speaker.is_undoing() {
            return self.part(Some(Event::Released { confirmed: false }), now);
        }
        if let (None, Some(held)) = (self.chosen, &held) {
            speaker.resume(&held.record, &request, &grant);
        }
        speaker.release(&request, &grant, now);
        // PCP and NAT-PMP have one address to ask.
        self.to_release = (speaker.protocol == Protocol::Upnp).then_some((request, grant));
        self.chosen = index;
        self.state = State::Releasing;
        self.handle_client_events(now);
    }

    pub(super) fn discard(&mut self, grant: &Grant, now: Instant) {
        let (Some(job), Some(index)) = (&self.job, self.chosen) else { return };
        self.state = State::Discarding;
        let request = job.request(self.settings.lease);
        self.doubt(index, grant.external_port);
        self.speakers[index].release(&request, grant, now);
    }

    pub(super) fn released(&mut self, index: usize, port: Option<NonZeroU16>, confirmed: bool, now: Instant) {
        let silence = Cause::NoAnswer { gateway: self.gateway() };
        if self.speakers[index].end_undoing(Standing::Unusable(silence)) {
            return self.given_back(confirmed, now);
        }
        match (self.state, self.chosen.filter(|chosen| *chosen == index)) {
            (State::Holding { .. }, _) => self.deleted_here(index, port, confirmed, now),
            (State::Releasing, Some(index)) if !confirmed && self.to_release.is_some() => {
                self.state = State::SeekingToRelease;
                self.speakers[index].probe(now);
            }
            (State::Releasing, Some(_)) => self.part(Some(Event::Released { confirmed }), now),
            (State::Discarding, Some(_)) => self.request(now),
            (State::DeletingFromAfar { internal, port }, Some(_)) => {
                self.deleted_from_afar(internal, port, confirmed, now);
            }
            _ => {}
        }
    }

    pub(super) fn release_where_found(&mut self, index: usize, now: Instant) {
        if let Some((request, grant)) = self.to_release.take() {
            self.state = State::Releasing;
            self.speakers[index].release(&request, &grant, now);
        }
    }

    /// The end, once what is not kept is given back.
    pub(super) fn part(&mut self, last_word: Option<Event>, now: Instant) {
        self.drop_reservation();
        (self.held, self.untold) = (None, None);
        self.chosen = None;
        self.last_word = last_word;
        self.state = State::Undoing;
        self.give_back_all_but(None, now);
        self.handle_client_events(now);
        self.end_once_all_is_given_back();
    }

    pub(super) fn end_once_all_is_given_back(&mut self) {
        if self.state == State::Undoing && !self.speakers.iter().any(Speaker::is_undoing) {
            let last_word = self.last_word.take();
            self.end(last_word);
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Releasing | State::SeekingToRelease | State::Undoing | State::Ended)
    }

    pub(super) fn end(&mut self, last_word: Option<Event>) {
        self.drop_reservation();
        self.held = None;
        self.state = State::Ended;
        self.leave_unresolved();
        self.events.extend(last_word);
    }
}
