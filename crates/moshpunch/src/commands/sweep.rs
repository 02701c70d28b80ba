//! `moshpunch sweep`: removes the mappings and state files of sessions whose keeper and mosh-server are gone.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Result;
use net::wait::wait;
use net::{MapperSockets, clock};
use portmap::mapper::{Event, Mapper, Settings};
use portmap::upnp::SEARCH_WINDOW;

use crate::commands::keeper::{leave_session, spawn_detached};
use crate::runtime_directory;
use crate::session::{State, StateFile};

/// Beside the user's session, which does not wait for it.
pub(crate) fn start_if_needed() {
    let Ok(directory) = runtime_directory::open() else { return };
    let dead =
        StateFile::orphans(&directory).is_ok_and(|orphans| orphans.iter().any(|(_, state)| is_dead(state)));
    if dead && let Err(error) = spawn_detached("sweep", Stdio::null()) {
        tracing::debug!(%error);
    }
}

pub(crate) fn run() -> Result<ExitCode> {
    leave_session()?;
    for (file, state) in StateFile::orphans(&runtime_directory::open()?)? {
        if !is_dead(&state) {
            continue;
        }
        if let Ok(state) = state
            && let Err(error) = remove_mapping(&state)
        {
            tracing::debug!(%error, "left to its lease");
        }
        file.remove()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A file that nobody can read stands for nothing that could be saved.
fn is_dead(state: &Result<State>) -> bool {
    !state.as_ref().is_ok_and(|state| state.process.is_alive())
}

fn remove_mapping(state: &State) -> Result<()> {
    let State { name, mapping, .. } = state;
    let settings = Settings {
        internal: mapping.internal,
        gateway: Some(mapping.gateway),
        protocols: Vec::new(),
        remembered: None,
        description: name.description.clone(),
        lease: Duration::ZERO,
        search_window: SEARCH_WINDOW,
        nonce: mapping.nonce(),
        seed: 0,
    };
    let mut sockets = MapperSockets::open(mapping.internal, Some(mapping.gateway))?;
    let mut mapper = Mapper::resume(settings, mapping.record()?, clock::now());
    mapper.release(clock::now());
    loop {
        sockets.perform(&mut mapper, clock::now());
        if let Some(Event::Released { .. }) = mapper.poll_event() {
            return Ok(());
        }
        wait(&mut sockets.descriptors(), mapper.poll_timeout())?;
        sockets.receive(&mut mapper, clock::now());
        mapper.handle_timeout(clock::now());
    }
}
