//! Which protocol is spoken with which gateway.

use std::net::IpAddr;
use std::time::Instant;

use super::super::speaker::Standing;
use super::super::values::{Event, Protocol};
use super::{Mapper, State};
use crate::cause::Cause;

impl Mapper {
    pub(super) fn seek(&mut self, now: Instant) {
        self.chosen = None;
        self.state = State::Seeking;
        for speaker in &mut self.speakers {
            speaker.probe(now);
        }
        self.choose(now);
    }

    pub(super) fn available(&mut self, index: usize, external_address: Option<IpAddr>, now: Instant) {
        self.speakers[index].standing = Standing::Available { external_address };
        match self.state {
            State::Seeking | State::HearingOut { .. } => self.choose(now),
            State::SeekingToRelease => self.release_left_behind(index, now),
            _ => self.adopt_address(),
        }
    }

    /// Another protocol may still serve.
    pub(super) fn unusable(&mut self, index: usize, cause: Cause, now: Instant) {
        self.speakers[index].standing = Standing::Unusable(cause);
        self.go_on_without(index, now);
    }

    pub(super) fn go_on_without(&mut self, index: usize, now: Instant) {
        if self.chosen == Some(index) {
            if self.is_leaving() {
                return self.end(Event::Released { confirmed: false });
            }
            self.chosen = None;
            self.state = State::Seeking;
        }
        if matches!(self.state, State::Seeking | State::HearingOut { .. }) {
            self.choose(now);
        }
    }

    pub(super) fn choose(&mut self, now: Instant) {
        let holder = self.held.as_ref().and_then(|held| self.speaker_of(held.record.protocol));
        if holder.is_some_and(|holder| self.speakers[holder].standing == Standing::Asked) {
            return;
        }
        let is_available =
            |&index: &usize| matches!(self.speakers[index].standing, Standing::Available { .. });
        if let Some(index) = holder.into_iter().chain(0..self.speakers.len()).find(is_available) {
            return self.settle_on(index, now);
        }
        if self.speakers.iter().any(|speaker| speaker.standing == Standing::Asked) {
            return;
        }
        let resting: Vec<_> =
            self.speakers.iter_mut().filter(|speaker| speaker.standing == Standing::Resting).collect();
        if resting.is_empty() {
            return self.hear_out_or_fail(now);
        }
        for speaker in resting {
            speaker.probe(now);
        }
    }

    pub(super) fn settle_on(&mut self, index: usize, now: Instant) {
        self.choose_speaker(index);
        self.state = State::Ready;
        if self.job.is_some() {
            self.begin_to_request(now);
        }
    }

    pub(super) fn choose_speaker(&mut self, index: usize) {
        self.chosen = Some(index);
        for (other, speaker) in self.speakers.iter_mut().enumerate() {
            if other != index {
                speaker.rest();
            }
        }
    }

    pub(super) fn give_up_protocol(&mut self, cause: Cause, now: Instant) {
        match self.chosen {
            Some(index) => self.unusable(index, cause, now),
            None => self.fail(cause, now),
        }
    }

    /// It maps for whoever seems to ask. Behind another NAT that is every host there, and they would take each other's
    /// mappings; PCP has seen it.
    pub(super) fn rule_out_nat_pmp(&mut self) {
        let cause = Cause::NatBetween { gateway: self.gateway() };
        if let Some(index) = self.speaker_of(Protocol::NatPmp).filter(|&index| self.chosen != Some(index)) {
            self.speakers[index].standing = Standing::Unusable(cause);
        }
    }

    pub(super) fn most_telling_cause(&self) -> Cause {
        let causes = self.speakers.iter().rev().filter_map(|speaker| match &speaker.standing {
            Standing::Unusable(cause) => Some(cause.clone()),
            Standing::Late { .. } => Some(Cause::NoAnswer { gateway: self.gateway() }),
            Standing::Asked | Standing::Available { .. } | Standing::Resting => None,
        });
        causes.min_by_key(Cause::tells_less).unwrap_or(Cause::NoGateway)
    }

    pub(super) fn speaker_of(&self, protocol: Protocol) -> Option<usize> {
        self.speakers.iter().position(|speaker| speaker.protocol == protocol)
    }
}
