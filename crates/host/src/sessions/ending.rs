//! The end of a session, as mosh-server knows it: at SIGTERM it says goodbye to its client, if it has heard that within the
//! last 40 s, and waits up to 10 s for the answer. At a second one it ends at once. Either way the program in it is hung up.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::Duration;

use net::clock;
use net::wait::wait;
use rustix::process::Signal;

use super::seen::{Keeper, Session};
use crate::mosh_server::{ProcessIdentity, Watched};

/// For the goodbye: a round trip, and a second one if that is lost. A client that has not heard it finds a session that is
/// silent.
const GOODBYE: Duration = Duration::from_millis(1_200);

/// After the second signal it has nothing left to wait for.
const PATIENCE: Duration = Duration::from_secs(3);

/// To give back what it holds: a question to a router that answers.
const PATIENCE_WITH_A_KEEPER: Duration = Duration::from_secs(2);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As far as it had one.
    WithItsMapping,
    /// The router has not answered yet.
    MappingLeft,
}

#[derive(Debug)]
pub(super) enum NotEnded {
    NotAllowed(io::Error),
    /// It does not answer to SIGTERM.
    StillThere(i32),
}

/// The mapping of one whose keeper is gone is a sweep's to remove.
pub(super) fn end(session: &Session) -> Result<Ended, NotEnded> {
    let (keeper, is_stopped) = match &session.keeper {
        Keeper::Process(keeper) => (Watched::new(keeper.process), keeper.is_stopped),
        Keeper::None | Keeper::Gone => (None, false),
    };
    end_mosh_server(session.server.process)?;
    let Some(keeper) = keeper else { return Ok(Ended::WithItsMapping) };
    if is_stopped {
        let _it_may_have_ended = keeper.signal(Signal::CONT);
    }
    let is_done = has_ended_within(&keeper, PATIENCE_WITH_A_KEEPER) || session.openings.is_empty();
    Ok(if is_done { Ended::WithItsMapping } else { Ended::MappingLeft })
}

fn end_mosh_server(process: ProcessIdentity) -> Result<(), NotEnded> {
    for patience in [GOODBYE, PATIENCE] {
        let Some(server) = Watched::new(process) else { return Ok(()) };
        match server.signal(Signal::TERM).and_then(|()| server.signal(Signal::CONT)) {
            Err(error) if !server.has_ended() => return Err(NotEnded::NotAllowed(error)),
            _ if has_ended_within(&server, patience) => return Ok(()),
            _ => {}
        }
    }
    Err(NotEnded::StillThere(process.pid))
}

fn has_ended_within(process: &Watched, patience: Duration) -> bool {
    let deadline = clock::now() + patience;
    while !process.has_ended() && clock::now() < deadline {
        if let Err(error) = wait(&mut [process.descriptor()], Some(deadline)) {
            tracing::debug!(%error);
        }
    }
    process.has_ended()
}

impl Display for NotEnded {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed(error) => write!(formatter, "{error}"),
            Self::StillThere(pid) => {
                write!(
                    formatter,
                    "it does not answer to SIGTERM; `kill -KILL {pid}` ends it without a goodbye"
                )
            }
        }
    }
}
