//! What to do after each refusal.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::values::Protocol;
use super::{Job, Mapper};
use crate::address::{Reach, reach};
use crate::cause::{Cause, Outside};
use crate::client::{Code, Refusal};

/// Some routers say "action failed" (501) where they mean a conflict; a few other ports tell (libtorrent).
const TRIES_AFTER_ACTION_FAILED: usize = 4;
const ACTION_FAILED: Code = Code::Upnp(501);

impl Mapper {
    pub(super) fn refused(&mut self, refusal: &Refusal, now: Instant) {
        let exact = self.job.as_ref().is_some_and(Job::is_exact);
        let upnp = self.chosen.is_some_and(|index| self.speakers[index].protocol == Protocol::Upnp);
        match refusal {
            Refusal::Conflict => self.take_another_port(now),
            // The port may be taken or forbidden; either way another one may not be.
            Refusal::CannotProvideExternal => self.take_another_port(now),
            // The rules of a firewall are not about external ports.
            Refusal::NotAuthorized if self.settings.internal.is_ipv4() => match exact || upnp {
                true => self.take_an_allowed_port(now),
                // The gateway was free to take any port.
                false => self.give_up(refusal, now),
            },
            // It is listed as ours, but leads to an address that this host does not have now.
            Refusal::Unconfirmed | Refusal::LeftBehind { .. } if self.is_port_left_elsewhere() => {
                self.take_another_port(now);
            }
            Refusal::Unsupported { code: ACTION_FAILED } if self.may_be_a_hidden_conflict() => {
                self.take_another_port(now);
            }
            Refusal::NotAuthorized
            | Refusal::NoResources
            | Refusal::NetworkFailure
            | Refusal::AddressMismatch
            | Refusal::BehindNat { .. }
            | Refusal::SamePortRequired
            | Refusal::Unsupported { .. }
            | Refusal::Unconfirmed
            | Refusal::LeftBehind { .. }
            | Refusal::NoAnswer
            | Refusal::Other { .. } => {
                self.give_up(refusal, now);
            }
        }
    }

    pub(super) fn take_another_port(&mut self, now: Instant) {
        let Some(job) = &mut self.job else { return };
        if job.ports.after_conflict(&mut self.random).is_some() {
            return self.request(now);
        }
        self.give_up_protocol(self.exhausted(), now);
    }

    /// The rules may allow lower ports than those already tried and taken.
    pub(super) fn take_an_allowed_port(&mut self, now: Instant) {
        let Some(job) = &mut self.job else { return };
        let first_try = job.ports.current() == job.ports.preferred();
        if job.ports.after_denial(&mut self.random).is_some() {
            return self.request(now);
        }
        match first_try {
            true => self.give_up(&Refusal::NotAuthorized, now),
            false => self.give_up_protocol(self.exhausted(), now),
        }
    }

    fn give_up(&mut self, refusal: &Refusal, now: Instant) {
        self.give_up_protocol(self.cause_of(refusal, self.outside()), now);
    }

    /// Why the mapping that is wanted was refused.
    pub(super) fn cause_of(&self, refusal: &Refusal, outside: Outside) -> Cause {
        let gateway = self.gateway();
        match &self.job {
            Some(job) if *refusal == Refusal::NotAuthorized && self.settings.internal.is_ipv4() => {
                let internal = SocketAddr::new(self.settings.internal, job.wanted.internal_port.get());
                Cause::DeniedByRules { gateway, internal, port: job.ports.current() }
            }
            Some(job) if matches!(refusal, Refusal::Conflict | Refusal::CannotProvideExternal) => {
                Cause::PortTaken { gateway, port: job.ports.current() }
            }
            _ => Cause::of_refusal(refusal, gateway, outside),
        }
    }

    fn outside(&self) -> Outside {
        let tells = self.chosen.is_some_and(|index| self.speakers[index].protocol != Protocol::Pcp);
        match self.external_address() {
            None if !tells => Outside::Unasked,
            external => Outside::Told(external),
        }
    }

    pub(super) fn may_be_a_hidden_conflict(&mut self) -> bool {
        let public = self.external_address().map(reach);
        let Some(job) = &mut self.job else { return false };
        job.action_failures += 1;
        public == Some(Reach::Public) && job.action_failures <= TRIES_AFTER_ACTION_FAILED
    }

    fn is_port_left_elsewhere(&self) -> bool {
        let (here, port) = (self.settings.internal, self.job.as_ref().map(|job| job.ports.current()));
        self.made_elsewhere().any(|made| made.internal != here && Some(made.record.external_port) == port)
    }

    pub(super) fn exhausted(&self) -> Cause {
        let gateway = self.gateway();
        match &self.job {
            Some(job) => {
                let (first, last) = (*job.ports.range().start(), *job.ports.range().end());
                match first == last {
                    true => Cause::PortTaken { gateway, port: first },
                    false => Cause::PortsExhausted { gateway, first, last },
                }
            }
            None => Cause::NoAnswer { gateway },
        }
    }
}
