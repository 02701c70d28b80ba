//! What the chosen gateway is asked, on a port that nobody else on this host has.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::super::speaker::Speaker;
use super::{Mapper, State};
use crate::client::Request;
use crate::effects::Reservation;

/// A renewal can wait: half of the lease is left. But a gateway that has moved or restarted must be looked for.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(10);

impl Mapper {
    /// The answer to [`Reservation::Take`].
    pub fn handle_reservation(&mut self, port: NonZeroU16, taken: bool, now: Instant) {
        self.reserved = taken.then_some(port);
        match self.state {
            State::Reserving if !taken => self.take_another_port(now),
            State::Reserving => self.request(now),
            _ => self.drop_reservation(),
        }
    }

    /// Asks for the current port, once nobody else on this host can.
    pub(super) fn request(&mut self, now: Instant) {
        let Some(job) = &self.job else { return };
        let port = job.ports.current();
        if port == job.wanted.internal_port || self.reserved == Some(port) {
            return self.ask(Speaker::request, now);
        }
        self.drop_reservation();
        self.state = State::Reserving;
        self.reservations.push_back(Reservation::Take(port));
    }

    pub(super) fn ask(&mut self, question: fn(&mut Speaker, &Request, Instant), now: Instant) {
        let (Some(job), Some(index)) = (&self.job, self.chosen) else { return };
        let request = job.request(self.settings.lease);
        let speaker = &mut self.speakers[index];
        let patience = speaker.patience();
        let patience = if self.held.is_some() { patience.map(|_| RENEWAL_PATIENCE) } else { patience };
        let gives_up = patience.map(|patience| now + patience);
        self.state = State::Requesting { gives_up };
        question(speaker, &request, now);
        match gives_up {
            Some(_) => self.making(index, request.external_port),
            // UPnP says so itself: it looks before it adds.
            None => self.handle_client_events(now),
        }
    }

    pub(super) fn check_or_renew(&mut self, now: Instant) {
        let due = self.held.as_ref().is_some_and(|held| now >= held.renews);
        self.ask(if due { Speaker::renew } else { Speaker::check }, now);
    }

    pub(super) fn drop_reservation(&mut self) {
        if let Some(port) = self.reserved.take() {
            self.reservations.push_back(Reservation::Drop(port));
        }
    }
}
