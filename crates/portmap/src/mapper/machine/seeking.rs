//! Which protocol is spoken with which gateway.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::super::speaker::{Speaker, Standing};
use super::super::values::{Event, Protocol};
use super::{Mapper, State};
use crate::cause::Cause;

/// How long the first thing that costs a router much waits for protocols that cost it little: a LAN's round trip takes a
/// few milliseconds, and a closed port is told at once.
const HEAD_START: Duration = Duration::from_millis(250);

impl Mapper {
    pub(super) fn seek(&mut self, now: Instant) {
        self.chosen = None;
        self.state = State::Seeking;
        match self.settings.remembered.as_ref().map(|known| known.protocol).filter(|_| self.held.is_none()) {
            Some(known) => self.ask_the_known(known, now),
            None => self.ask_all(now),
        }
        self.choose(now);
    }

    fn ask_all(&mut self, now: Instant) {
        let searches = self.held.is_none();
        for speaker in &mut self.speakers {
            match speaker.protocol {
                Protocol::Upnp if searches => speaker.probe_behind_others(now + HEAD_START, now),
                Protocol::Pcp | Protocol::NatPmp | Protocol::Upnp => speaker.probe(now),
            }
        }
        self.let_the_last_go_ahead(now);
    }

    /// See [Which protocol](super::super#which-protocol).
    fn ask_the_known(&mut self, known: Protocol, now: Instant) {
        let asks = |protocol| match known {
            // What it takes several questions to make may be had for one by now, and more of the gateway's changes heard.
            Protocol::Upnp => matches!(protocol, Protocol::Upnp | Protocol::Pcp),
            // The external address is told in answer to a probe alone.
            Protocol::NatPmp => protocol == Protocol::NatPmp,
            Protocol::Pcp => false,
        };
        for speaker in &mut self.speakers {
            if asks(speaker.protocol) {
                speaker.probe(now);
            } else if speaker.protocol == known {
                speaker.stand(Standing::Available { external_address: None });
            }
        }
    }

    /// Where the quicker protocols are known to have nothing to say.
    fn let_the_last_go_ahead(&mut self, now: Instant) {
        let waits_for = |speaker: &Speaker| speaker.protocol != Protocol::Upnp && speaker.is_asked();
        if !self.speakers.iter().any(waits_for)
            && let Some(upnp) = self.speaker_of(Protocol::Upnp)
        {
            self.speakers[upnp].go_ahead(now);
        }
    }

    pub(super) fn available(&mut self, index: usize, external_address: Option<IpAddr>, now: Instant) {
        self.speakers[index].stand(Standing::Available { external_address });
        match self.state {
            State::Seeking | State::HearingOut { .. } => self.choose(now),
            State::SeekingToRelease => self.release_where_found(index, now),
            _ => self.adopt_address(),
        }
    }

    /// Another protocol may still serve.
    pub(super) fn unusable(&mut self, index: usize, cause: Cause, now: Instant) {
        self.speakers[index].stand(Standing::Unusable(cause));
        self.let_the_last_go_ahead(now);
        self.go_on_without(index, now);
    }

    pub(super) fn go_on_without(&mut self, index: usize, now: Instant) {
        if self.chosen == Some(index) {
            if self.is_leaving() {
                return self.part(Some(Event::Released { confirmed: false }), now);
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
        if holder.is_some_and(|holder| self.speakers[holder].is_asked()) {
            return;
        }
        let is_available = |&index: &usize| {
            matches!(self.speakers[index].standing(), Standing::Available { .. })
                && self.waits_for_pcp_until(index, now).is_none()
        };
        if let Some(index) = holder.into_iter().chain(0..self.speakers.len()).find(is_available) {
            return self.settle_on(index, now);
        }
        if self.speakers.iter().any(Speaker::is_asked) {
            return;
        }
        let is_next = |&index: &usize| {
            *self.speakers[index].standing() == Standing::Resting
                && self.waits_for_pcp_until(index, now).is_none()
        };
        let next: Vec<_> = (0..self.speakers.len()).filter(is_next).collect();
        if next.is_empty() {
            return self.hear_out_or_fail(now);
        }
        self.state = State::Seeking;
        for index in next {
            self.speakers[index].probe(now);
        }
    }

    /// NAT-PMP is spoken by the server that speaks PCP, and will not be quicker. Where both write one table, what is then
    /// given back by NAT-PMP may be what PCP has granted late.
    fn waits_for_pcp_until(&self, index: usize, now: Instant) -> Option<Instant> {
        let pcp =
            self.speaker_of(Protocol::Pcp).filter(|_| self.speakers[index].protocol == Protocol::NatPmp)?;
        match self.speakers[pcp].standing() {
            Standing::Late { until } if *until > now => Some(*until),
            _ => None,
        }
    }

    /// Until when NAT-PMP, which was not refused yet, waits for its turn.
    pub(super) fn nat_pmp_waits_until(&self, now: Instant) -> Option<Instant> {
        let index = self.speaker_of(Protocol::NatPmp)?;
        let may_serve =
            matches!(self.speakers[index].standing(), Standing::Resting | Standing::Available { .. });
        self.waits_for_pcp_until(index, now).filter(|_| may_serve)
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
            self.speakers[index].stand(Standing::Unusable(cause));
        }
    }

    pub(super) fn most_telling_cause(&self) -> Cause {
        let causes = self.speakers.iter().rev().filter_map(|speaker| match speaker.standing() {
            Standing::Unusable(cause) => Some(cause.clone()),
            Standing::Late { .. } => Some(Cause::NoAnswer { gateway: self.gateway() }),
            Standing::Asked | Standing::Available { .. } | Standing::Resting | Standing::Undoing => None,
        });
        causes.min_by_key(Cause::tells_less).unwrap_or(Cause::NoGateway)
    }

    pub(super) fn speaker_of(&self, protocol: Protocol) -> Option<usize> {
        self.speakers.iter().position(|speaker| speaker.protocol == protocol)
    }
}
