//! Asks for one mapping until there is an answer.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Result;
use net::{Driven, MapperSockets, clock, drive, random};
use portmap::cause::Cause;
use portmap::mapper::{Event, Mapper, Mapping, Protocol, Settings, Wanted};
use portmap::pcp::Nonce;
use programs::signals::Signals;

use super::budget::Budget;
use super::failure::Failure;
use super::ledger::Ledger;
use super::place::Place;
use super::record::MapRecord;
use crate::release::released;
use crate::session::Name;
use crate::state::remembered;

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
    pub(super) ledger: Ledger,
}

/// How the waiting ended.
enum Answer {
    Mapped(Box<(Mapping, MapRecord)>),
    Failed(Cause),
    TooLate,
    Interrupted,
}

/// A mapping, and what keeps it.
#[derive(Debug)]
pub(super) struct Obtained {
    pub(super) mapping: Mapping,
    pub(super) record: MapRecord,
    pub(super) mapper: Mapper,
    pub(super) sockets: MapperSockets,
    pub(super) ledger: Ledger,
}

impl Identity {
    pub(super) fn new(title: Option<&str>) -> Result<Self> {
        let mut nonce = Nonce([0; 12]);
        random::fill(&mut nonce.0)?;
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
            only_this_lease: false,
            search_window: self.budget.search_window,
            nonce: self.identity.nonce,
            seed: random::u64()?,
        })
    }

    /// The mapping; written down before it is asked for. What may be left of it stays written down.
    pub(super) fn obtain(mut self, signals: &Signals) -> Result<Obtained, Failure> {
        let mut sockets = self.place.sockets()?;
        let mut mapper = Mapper::new(self.settings()?, clock::now());
        mapper.map(self.wanted.clone(), clock::now());
        let stopped = match self.wait(&mut mapper, &mut sockets, signals) {
            Ok(Answer::Mapped(granted)) => {
                let (mapping, record) = *granted;
                if let Some(learnt) = mapper.learnt() {
                    remembered::remember(mapping.record.control.gateway(), &learnt);
                }
                return Ok(Obtained { mapping, record, mapper, sockets, ledger: self.ledger });
            }
            Ok(Answer::Failed(cause)) => {
                undo(&mut mapper, &mut sockets, &mut self.ledger)?;
                self.ledger.close();
                return Err((&cause).into());
            }
            Ok(Answer::TooLate) => Failure::too_slow(self.place.gateway),
            Ok(Answer::Interrupted) => Failure::interrupted(),
            Err(failure) => failure,
        };
        let is_undone = undo(&mut mapper, &mut sockets, &mut self.ledger)?;
        if !is_undone {
            return Err(Failure::left_behind(stopped.code, self.place.gateway));
        }
        self.ledger.close();
        Err(stopped)
    }

    /// # Errors
    ///
    /// It cannot be written down, or waited for.
    fn wait(
        &mut self,
        mapper: &mut Mapper,
        sockets: &mut MapperSockets,
        signals: &Signals,
    ) -> Result<Answer, Failure> {
        loop {
            match drive(mapper, sockets, Some(self.deadline), Some(signals.as_fd()))? {
                Driven::Told(Event::Asked(record)) => self.ledger.asked(&record)?,
                Driven::Told(Event::Left(record)) => self.ledger.left(&record),
                Driven::Told(Event::Mapped(mapping)) => {
                    mapper.unresolved().for_each(|record| self.ledger.left(record));
                    let record = self.ledger.mapped(&mapping)?;
                    return Ok(Answer::Mapped(Box::new((mapping, record))));
                }
                Driven::Told(Event::Failed(cause)) => return Ok(Answer::Failed(cause)),
                Driven::Told(_) => {}
                Driven::TimeIsOver => return Ok(Answer::TooLate),
                Driven::Woken => return Ok(Answer::Interrupted),
            }
        }
    }
}

/// Whether nothing is left.
fn undo(mapper: &mut Mapper, sockets: &mut MapperSockets, ledger: &mut Ledger) -> Result<bool> {
    mapper.release(clock::now());
    let released = released(mapper, sockets, Some(clock::now() + UNDO_PATIENCE))?;
    released.left.iter().for_each(|record| ledger.left(record));
    Ok(released.confirmed && !ledger.is_anything_left())
}
