//! What a client asks its gateway about: a port mapping for IPv4, a pinhole in the firewall for IPv6.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use super::answer::{Failure, Next};
use super::attempt::{self, Attempt, Check, KnownLeases, Listing};
use super::pinhole::{self, Opening};
use super::soap::{Call, Reply};
use crate::client::{Grant, Request};
use crate::mapping::Transport;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Mapping(attempt::Step),
    Pinhole(pinhole::Step),
}

impl Step {
    /// Whether a mapping, or a pinhole, is made with it. Asked twice it may be refused the second time, for what it has
    /// made the first time.
    pub(super) fn adds(self) -> bool {
        matches!(self, Self::Mapping(attempt::Step::Add) | Self::Pinhole(pinhole::Step::Add))
    }
}

#[derive(Debug)]
pub(super) enum Dialogue {
    Mapping(Attempt),
    Pinhole(Opening),
}

/// What is known of what is held, and of the gateway, before the first question.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The number of the pinhole.
    pub(super) pinhole: Option<u16>,
    pub(super) mapping: attempt::Known,
}

impl Dialogue {
    pub(super) fn to_obtain(
        request: Request,
        internal: IpAddr,
        description: String,
        known: Known,
    ) -> (Self, Step) {
        match internal {
            IpAddr::V4(_) => {
                Self::about_mapping(Attempt::to_obtain(request, internal, description, known.mapping))
            }
            IpAddr::V6(internal) => Self::about_pinhole(Opening::to_obtain(request, internal, known.pinhole)),
        }
    }

    /// A pinhole cannot be looked for, only held for longer.
    pub(super) fn to_check(
        check: Check,
        request: Request,
        internal: IpAddr,
        description: String,
        known: Known,
    ) -> (Self, Step) {
        match internal {
            IpAddr::V4(_) => {
                Self::about_mapping(Attempt::to_check(check, request, internal, description, known.mapping))
            }
            IpAddr::V6(internal) => Self::about_pinhole(Opening::to_obtain(request, internal, known.pinhole)),
        }
    }

    pub(super) fn to_release(
        grant: &Grant,
        transport: Transport,
        internal: IpAddr,
        description: String,
        known: Known,
    ) -> (Self, Step) {
        let request = Request {
            transport,
            internal_port: grant.internal_port,
            external_port: grant.external_port,
            exact: true,
            lease: Duration::ZERO,
        };
        match internal {
            IpAddr::V4(_) => {
                Self::about_mapping(Attempt::to_release(request, internal, description, known.mapping))
            }
            IpAddr::V6(internal) => {
                Self::about_pinhole(Opening::to_release(request, internal, known.pinhole))
            }
        }
    }

    /// Its end is that something is deleted.
    pub(super) fn is_releasing(&self) -> bool {
        match self {
            Self::Mapping(attempt) => attempt.is_releasing(),
            Self::Pinhole(opening) => opening.is_releasing(),
        }
    }

    pub(super) fn turn_to_release(&mut self) {
        match self {
            Self::Mapping(attempt) => attempt.turn_to_release(),
            Self::Pinhole(opening) => opening.turn_to_release(),
        }
    }

    /// It is in the way of whoever wants to release this one, and can be asked again.
    pub(super) fn releases_another(&self, internal: IpAddr, external_port: NonZeroU16) -> bool {
        self.is_releasing() && !self.is_about(internal, external_port)
    }

    /// A client has one pinhole.
    pub(super) fn is_about(&self, internal: IpAddr, external_port: NonZeroU16) -> bool {
        match self {
            Self::Mapping(attempt) => attempt.is_about(internal, external_port),
            Self::Pinhole(_) => true,
        }
    }

    pub(super) fn call(&self, step: Step, service_type: &str) -> Option<Call> {
        match (self, step) {
            (Self::Mapping(attempt), Step::Mapping(step)) => Some(attempt.call(step, service_type)),
            (Self::Pinhole(opening), Step::Pinhole(step)) => Some(opening.call(step, service_type)),
            (Self::Mapping(_), Step::Pinhole(_)) | (Self::Pinhole(_), Step::Mapping(_)) => None,
        }
    }

    /// `None` for the answer to a question of the other kind.
    pub(super) fn advance(&mut self, step: Step, reply: Result<Reply, Failure>) -> Option<Next<Step>> {
        match (self, step) {
            (Self::Mapping(attempt), Step::Mapping(step)) => {
                Some(attempt.advance(step, reply).map(Step::Mapping))
            }
            (Self::Pinhole(opening), Step::Pinhole(step)) => {
                Some(opening.advance(step, reply).map(Step::Pinhole))
            }
            (Self::Mapping(_), Step::Pinhole(_)) | (Self::Pinhole(_), Step::Mapping(_)) => None,
        }
    }

    /// What a dialogue that turns to release does in the place of a question that was not asked yet; `None` for a question
    /// of the other kind.
    pub(super) fn withdraw(&mut self, step: Step) -> Option<Next<Step>> {
        match (self, step) {
            (Self::Mapping(attempt), Step::Mapping(step)) => Some(attempt.withdraw(step).map(Step::Mapping)),
            (Self::Pinhole(opening), Step::Pinhole(_)) => Some(opening.withdraw().map(Step::Pinhole)),
            (Self::Mapping(_), Step::Pinhole(_)) | (Self::Pinhole(_), Step::Mapping(_)) => None,
        }
    }

    pub(super) fn internal_port(&self) -> NonZeroU16 {
        match self {
            Self::Mapping(attempt) => attempt.request().internal_port,
            Self::Pinhole(opening) => opening.request().internal_port,
        }
    }

    /// The number of the pinhole, as far as there is one now.
    pub(super) fn pinhole(&self) -> Option<u16> {
        match self {
            Self::Mapping(_) => None,
            Self::Pinhole(opening) => opening.id(),
        }
    }

    /// What of [`Known`] the answers have told by now.
    pub(super) fn known_leases(&self) -> KnownLeases {
        match self {
            Self::Mapping(attempt) => attempt.known_leases(),
            Self::Pinhole(_) => KnownLeases::default(),
        }
    }

    pub(super) fn listing(&self) -> Listing {
        match self {
            Self::Mapping(attempt) => attempt.listing().clone(),
            Self::Pinhole(_) => Listing::default(),
        }
    }

    pub(super) fn external_port(&self) -> NonZeroU16 {
        match self {
            Self::Mapping(attempt) => attempt.request().external_port,
            Self::Pinhole(opening) => opening.request().internal_port,
        }
    }

    fn about_mapping((attempt, first): (Attempt, attempt::Step)) -> (Self, Step) {
        (Self::Mapping(attempt), Step::Mapping(first))
    }

    fn about_pinhole((opening, first): (Opening, pinhole::Step)) -> (Self, Step) {
        (Self::Pinhole(opening), Step::Pinhole(first))
    }
}
