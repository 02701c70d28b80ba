//! `moshpunch map add --keep`: renews until somebody wants us to end.

use std::os::fd::AsFd;
use std::time::Duration;

use net::{Driven, clock, drive};
use portmap::mapper::Event;

use super::obtain::Obtained;
use super::output::{Output, caution};
use super::record::MapRecord;
use super::trouble::Trouble;
use super::view::MappingView;
use crate::exit_code::ExitCode;
use crate::locked_file::LockedFile;
use crate::release::released;
use crate::signals::Signals;

/// Three questions over UPnP, each of which a slow router may take two seconds for.
const RELEASE_PATIENCE: Duration = Duration::from_secs(6);

pub(super) fn keep(
    obtained: Obtained,
    mut file: LockedFile,
    signals: &Signals,
    output: &mut Output,
) -> Result<ExitCode, Trouble> {
    let Obtained { record, mut mapper, mut sockets, .. } = obtained;
    let MapRecord { name, lease, .. } = record;
    loop {
        match drive(&mut mapper, &mut sockets, None, Some(signals.as_fd()))? {
            Driven::Told(Event::Mapped(mapping) | Event::Renewed(mapping)) => {
                file.replace(&MapRecord::new(name.clone(), &mapping, lease))?;
            }
            Driven::Told(Event::Changed(mapping)) => {
                file.replace(&MapRecord::new(name.clone(), &mapping, lease))?;
                let view = MappingView::new(&mapping, &name.description);
                output.answer(&view, &view)?;
            }
            Driven::Told(Event::Lost(cause)) => caution(&(&cause).into()),
            Driven::Told(Event::Failed(cause)) => return Err((&cause).into()),
            Driven::Told(Event::Released { .. }) | Driven::TimeIsOver => {}
            Driven::Woken => break,
        }
    }
    mapper.release(clock::now());
    let confirmed = released(&mut mapper, &mut sockets, Some(clock::now() + RELEASE_PATIENCE))?;
    file.remove()?;
    if !confirmed {
        return Err(Trouble::new(
            ExitCode::NoAnswer,
            "the router did not confirm that it removed the mapping",
            "nothing: it ends with its lease",
        ));
    }
    Ok(ExitCode::Success)
}
