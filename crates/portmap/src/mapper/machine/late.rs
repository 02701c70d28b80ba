//! What becomes of a request that was given up and may still be answered.

use std::time::{Duration, Instant};

use super::super::speaker::Standing;
use super::{Mapper, State};
use crate::cause::{Cause, Outside};
use crate::client::{Grant, Refusal};

/// For how long a request that was given up may still be answered where no other protocol serves: until the last of many
/// that asked a slow gateway at the same moment has had its turn. miniupnpd 2.3.1 (measured) tries each of
/// 65,535 ports before it says that its rules forbid one, on a busy machine for more than two seconds, and answers
/// nobody meanwhile.
const LATE_ANSWER_PATIENCE: Duration = Duration::from_secs(8);

impl Mapper {
    /// Other protocols are tried meanwhile. One who holds a mapping asks again by its own clock.
    pub(super) fn request_unanswered(&mut self, now: Instant) {
        let Some(index) = self.chosen else { return };
        let patience = if self.held.is_some() { Duration::ZERO } else { LATE_ANSWER_PATIENCE };
        self.speakers[index].fall_silent(now + patience);
        self.go_on_without(index, now);
    }

    /// Every protocol has failed.
    pub(super) fn hear_out_or_fail(&mut self, now: Instant) {
        let owed = self.answer_is_owed_until(now).into_iter().chain(self.nat_pmp_waits_until(now));
        match owed.min() {
            Some(until) => self.state = State::HearingOut { until },
            None => self.fail(self.most_telling_cause(), now),
        }
    }

    /// In the order in which causes are told: once a router has said why, nobody waits for it to say so by a protocol
    /// that counts for less.
    fn answer_is_owed_until(&self, now: Instant) -> Option<Instant> {
        let silent = |standing: &Standing| match standing {
            Standing::Unusable(cause) => cause.is_silence(),
            Standing::Late { until } => *until <= now,
            Standing::Asked | Standing::Available { .. } | Standing::Resting | Standing::Undoing => true,
        };
        let telling = self.speakers.iter().rev().find(|speaker| !silent(speaker.standing()))?;
        match telling.standing() {
            Standing::Late { until } => Some(*until),
            _ => None,
        }
    }

    /// Taken where nothing else serves yet; else given back.
    pub(super) fn granted_late(&mut self, index: usize, grant: Grant, now: Instant) {
        let speaker = &self.speakers[index];
        let protocol = speaker.protocol;
        let Some(job) = self.job.as_ref().filter(|_| !speaker.is_undoing()) else { return };
        let place = self.place();
        // One who holds a mapping asks again by its own clock.
        let is_wanted = match self.held.as_ref().filter(|held| held.place == Some(place)) {
            Some(held) => held.record.protocol == protocol && self.chosen.is_none(),
            None => true,
        };
        if self.is_leaving() || !is_wanted || !job.accepts(grant.external_port) {
            return self.give_back(index, &grant, now);
        }
        self.give_back_the_chosen(now);
        self.speakers[index].stand(Standing::Available { external_address: grant.external_address });
        self.choose_speaker(index);
        self.granted(grant, now);
    }

    /// It is slower than one that was given up.
    fn give_back_the_chosen(&mut self, now: Instant) {
        let (Some(job), Some(chosen)) = (&self.job, self.chosen.take()) else { return };
        let (request, grant) = (job.request(self.settings.lease), job.requested_grant());
        let speaker = &mut self.speakers[chosen];
        match self.state {
            State::Requesting { .. } | State::Discarding => speaker.undo(&request, &grant, now),
            _ => speaker.stand(Standing::Resting),
        }
        self.drop_reservation();
    }

    pub(super) fn refused_unchosen(&mut self, index: usize, refusal: &Refusal, now: Instant) {
        let cause = match refusal {
            _ if !self.is_late(index) => Cause::of_refused_protocol(refusal, self.gateway()),
            _ => self.cause_of(refusal, Outside::Unasked),
        };
        self.unusable(index, cause, now);
    }

    fn is_late(&self, index: usize) -> bool {
        matches!(self.speakers[index].standing(), Standing::Late { .. })
    }
}
