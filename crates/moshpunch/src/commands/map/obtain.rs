//! Asks for one mapping until there is an answer.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Result;
use net::{Driven, MapperSockets, clock, drive};
use portmap::mapper::{Event, Mapper, Mapping, Protocol, Settings, Wanted};
use portmap::pcp::Nonce;

use super::place::Place;
use super::record::MapRecord;
use super::trouble::Trouble;
use crate::configuration::Budget;
use crate::release::released;
use crate::remembered;
use crate::session::Name;
use crate::signals::Signals;

/// How long a gateway may take to undo what nobody waits for any more: three tries over PCP take 1.75 s.
const UNDO_PATIENCE: Duration = Duration::from_secs(2);

/// Tells our mapping from any other.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) name: Name,
    nonce: Nonce,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) place: Place,
    pub(super) identity: Identity,
    pub(super) wanted: Wanted,
    pub(super) protocols: Vec<Protocol>,
    pub(super) lease: Duration,
    pub(super) budget: Budget,
    pub(super) deadline: Instant,
}

/// A mapping, and what keeps it.
#[derive(Debug)]
pub(super) struct Obtained {
    pub(super) mapping: Mapping,
    pub(super) record: MapRecord,
    pub(super) mapper: Mapper,
    pub(super) sockets: MapperSockets,
}

impl Identity {
    pub(super) fn new(title: Option<&str>) -> Result<Self> {
        let mut nonce = Nonce([0; 12]);
        getrandom::fill(&mut nonce.0)?;
        Ok(Self { name: title.map_or_else(Name::new, Name::titled)?, nonce })
    }

    /// The same again.
    pub(super) fn of(record: &MapRecord) -> Self {
        Self { name: record.name.clone(), nonce: record.mapping.nonce() }
    }
}

impl Request {
    fn settings(&self) -> Result<Settings> {
        Ok(Settings {
            internal: self.place.internal,
            gateway: Some(self.place.gateway),
            protocols: self.protocols.clone(),
            remembered: remembered::recall(self.place.gateway),
            description: self.identity.name.description.clone(),
            lease: self.lease,
            search_window: self.budget.search_window,
            nonce: self.identity.nonce,
            seed: getrandom::u64()?,
        })
    }

    pub(super) fn obtain(self, signals: &Signals) -> Result<Obtained, Trouble> {
        let mut sockets = self.place.sockets()?;
        let mut mapper = Mapper::new(self.settings()?, clock::now());
        mapper.map(self.wanted.clone(), clock::now());
        let mapping = loop {
            match drive(&mut mapper, &mut sockets, Some(self.deadline), Some(signals.as_fd()))? {
                Driven::Told(Event::Mapped(mapping)) => break mapping,
                Driven::Told(Event::Failed(cause)) => return Err((&cause).into()),
                Driven::Told(_) => {}
                Driven::TimeIsOver => {
                    undo(mapper, sockets)?;
                    return Err(Trouble::too_slow(self.place.gateway));
                }
                Driven::Woken => {
                    undo(mapper, sockets)?;
                    return Err(Trouble::interrupted());
                }
            }
        };
        remembered::remember(&mapping.record.control);
        let record = MapRecord::new(self.identity.name, &mapping, self.lease);
        Ok(Obtained { mapping, record, mapper, sockets })
    }
}

fn undo(mut mapper: Mapper, mut sockets: MapperSockets) -> Result<()> {
    mapper.release(clock::now());
    released(&mut mapper, &mut sockets, Some(clock::now() + UNDO_PATIENCE)).map(drop)
}
