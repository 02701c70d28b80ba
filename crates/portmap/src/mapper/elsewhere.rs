//! Mappings that this host made from addresses which it does not have now.
//!
//! A gateway deletes a mapping for the address that it leads to, and in secure mode for no other. What cannot be deleted
//! any more when the host gets another address is therefore remembered until its lease ends: once the host is back
//! there, it is taken again or deleted, and stays here until it is seen to be gone.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::values::{Control, MadeElsewhere, Protocol, Record};
use crate::client::{Grant, Request};

/// More addresses than a host changes between within an hour; then the oldest is left to its lease.
const MAPPINGS_MAXIMUM: usize = 16;

/// This host's address, and the gateway that it asks from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) internal: IpAddr,
    pub(super) gateway: Option<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) place: Place,
    pub(super) record: Record,
    pub(super) grant: Grant,
    /// Else it may be on any port: PCP and NAT-PMP were asked for that one, and have not answered.
    pub(super) port_is_known: bool,
    /// `None`: it does not end by itself.
    pub(super) expires: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    made: VecDeque<Made>,
    /// It deletes for no other address than that of who asks.
    secure: Option<IpAddr>,
}

impl Made {
    pub(super) fn request(&self) -> Request {
        Request {
            transport: self.record.transport,
            internal_port: self.record.internal_port,
            external_port: self.record.external_port,
            exact: true,
            lease: Duration::ZERO,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_same(&self, other: &Self) -> bool {
        let key = |made: &Self| (made.place, made.record.protocol, made.record.external_port);
        key(self) == key(other)
    }
}

impl Elsewhere {
    pub(super) fn remember(&mut self, made: Made, now: Instant) {
        self.made.retain(|known| !known.is_over(now) && !known.is_same(&made));
        if self.made.len() == MAPPINGS_MAXIMUM {
            self.made.pop_front();
        }
        self.made.push_back(made);
    }

    /// The newest that may still be there.
    pub(super) fn at(&self, place: Place, now: Instant) -> Option<&Made> {
        self.made.iter().rev().find(|made| made.place == place && !made.is_over(now))
    }

    pub(super) fn take_at(&mut self, place: Place, is_taken: impl Fn(&Made) -> bool) -> Vec<Record> {
        let is_taken = |made: &Made| made.place == place && is_taken(made);
        let (taken, made) = self.made.drain(..).partition::<VecDeque<_>, _>(is_taken);
        self.made = made;
        taken.into_iter().map(|made| made.record).collect()
    }

    /// One that `gateway` may delete for whoever asks: by UPnP, where it is not in secure mode.
    pub(super) fn deletable_by(&self, gateway: IpAddr, here: Place, now: Instant) -> Option<&Made> {
        let is_its_own = |control: &Control| match control {
            Control::Upnp(control) => control.gateway == gateway,
            Control::Pinhole { .. } | Control::ControlPort { .. } => false,
        };
        let mut made = self.made.iter().filter(|_| self.secure != Some(gateway));
        made.find(|made| {
            made.place.internal != here.internal && is_its_own(&made.record.control) && !made.is_over(now)
        })
    }

    pub(super) fn denied_by(&mut self, gateway: IpAddr) {
        self.secure = Some(gateway);
    }

    pub(super) fn deleted(&mut self, internal: IpAddr, protocol: Protocol, port: NonZeroU16) {
        let key = (internal, protocol, port);
        let of = |made: &Made| (made.place.internal, made.record.protocol, made.record.external_port);
        self.made.retain(|made| of(made) != key);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = MadeElsewhere> {
        self.made.iter().map(|made| MadeElsewhere {
            internal: made.place.internal,
            record: made.record.clone(),
            expires: made.expires,
        })
    }
}
