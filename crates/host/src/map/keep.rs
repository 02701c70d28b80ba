//! `moshpunch map add --keep`: renews until somebody wants us to end.

use std::os::fd::AsFd;
use std::time::Duration;

use net::{Driven, MapperSockets, clock, drive};
use portmap::mapper::{Event, Mapper};
use programs::signals::Signals;

use super::failure::Failure;
use super::ledger::Ledger;
use super::obtain::Obtained;
use super::output::{Output, caution};
use super::view::MappingView;
use crate::map::exit_code::ExitCode;
use crate::release::released;

/// Three questions over UPnP, each of which a slow router may take two seconds for.
const RELEASE_PATIENCE: Duration = Duration::from_secs(6);

pub(super) fn keep(obtained: Obtained, signals: &Signals, output: &mut Output) -> Result<ExitCode, Failure> {
    let Obtained { record, mut mapper, mut sockets, mut ledger, .. } = obtained;
    let description = &record.name.description;
    let ended = until_the_end(&mut mapper, &mut sockets, &mut ledger, description, signals, output);
    mapper.release(clock::now());
    let released = released(&mut mapper, &mut sockets, Some(clock::now() + RELEASE_PATIENCE))?;
    let confirmed = released.confirmed;
    released.left.iter().for_each(|record| ledger.left(record));
    ledger.close();
    ended?;
    if !confirmed {
        return Err(Failure::new(
            ExitCode::NoAnswer,
            "the router did not confirm that it removed the mapping",
            "`moshpunch map remove` tries again; else it ends with its lease",
        ));
    }
    Ok(ExitCode::Success)
}

/// # Errors
///
/// It cannot be kept, recorded or told.
fn until_the_end(
    mapper: &mut Mapper,
    sockets: &mut MapperSockets,
    ledger: &mut Ledger,
    description: &str,
    signals: &Signals,
    output: &mut Output,
) -> Result<(), Failure> {
    loop {
        match drive(mapper, sockets, None, Some(signals.as_fd()))? {
            Driven::Told(Event::Asked(record)) => ledger.asked(&record)?,
            Driven::Told(Event::Left(record)) => ledger.left(&record),
            Driven::Told(Event::Mapped(mapping) | Event::Renewed(mapping)) => {
                ledger.mapped(&mapping)?;
            }
            Driven::Told(Event::Changed(mapping)) => {
                ledger.mapped(&mapping)?;
                let view = MappingView::new(&mapping, description);
                output.answer(&view, &view)?;
            }
            Driven::Told(Event::Lost(cause)) => caution(&(&cause).into()),
            Driven::Told(Event::Failed(cause)) => return Err((&cause).into()),
            Driven::Told(Event::Released { .. }) | Driven::TimeIsOver => {}
            Driven::Woken => return Ok(()),
        }
    }
}
