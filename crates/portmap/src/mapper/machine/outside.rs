//! Where a mapping is reached from outside, if the gateway that granted it did not say so: it is asked again, and so is
//! every other protocol that tells it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::super::speaker::Speaker;
use super::{Mapper, State};
use crate::client::Grant;

/// It is asked for with the grant, and again after each of these: what a busy router has refused once it may tell a
/// moment later, and one that has just connected has its address within seconds. Behind them the checks ask.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// How often it was asked for again since the grant, and when it is to be asked for next.
#[derive(Debug, Default)]
pub(super) struct AddressQuestions {
    repeated: usize,
    next: Option<Instant>,
}

impl Mapper {
    /// With what another protocol tells, where the one that grants tells nothing.
    pub(super) fn with_address(&self, grant: Grant) -> Grant {
        Grant { external_address: grant.external_address.or_else(|| self.address_told()), ..grant }
    }

    /// The gateway's address outside, by whichever protocol has told it, whether anything is mapped or not. A pinhole leads to our
    /// own address, so for IPv6 there is none.
    #[must_use]
    pub fn outside_address(&self) -> Option<IpAddr> {
        let told = || self.speakers.iter().find_map(Speaker::outside);
        self.address_told().or_else(|| told().filter(|_| self.settings.internal.is_ipv4()))
    }

    /// Any speaker's. A pinhole leads to our own address.
    pub(super) fn address_told(&self) -> Option<IpAddr> {
        self.speakers.iter().filter(|_| self.settings.internal.is_ipv4()).find_map(Speaker::external_address)
    }

    /// Begins to ask, if the mapping that was just granted has none.
    pub(super) fn look_for_address(&mut self, now: Instant) {
        self.address_questions = AddressQuestions::default();
        if self.address_is_unknown() {
            self.ask_for_address(now);
        }
    }

    pub(super) fn next_address_question(&self) -> Option<Instant> {
        self.address_questions.next.filter(|_| self.address_is_unknown())
    }

    pub(super) fn ask_for_address_if_due(&mut self, now: Instant) {
        let is_due = self.next_address_question().is_some_and(|at| at <= now);
        if is_due && matches!(self.state, State::Holding { .. }) {
            self.ask_for_address(now);
        }
    }

    /// Takes what a speaker has told meanwhile.
    pub(super) fn adopt_address(&mut self) {
        if self.address_is_unknown() && self.address_told().is_some() {
            self.address_is(self.address_told());
        }
    }

    fn ask_for_address(&mut self, now: Instant) {
        for (index, speaker) in self.speakers.iter_mut().enumerate() {
            speaker.ask_for_address(self.chosen == Some(index), now);
        }
        let AddressQuestions { repeated, next } = &mut self.address_questions;
        *next = WAITS.get(*repeated).map(|wait| now + *wait);
        *repeated += 1;
    }

    fn address_is_unknown(&self) -> bool {
        let held = self.held.as_ref();
        self.settings.internal.is_ipv4() && held.is_some_and(|held| held.grant.external_address.is_none())
    }
}
