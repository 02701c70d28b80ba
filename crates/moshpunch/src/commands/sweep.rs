//! `moshpunch --sweep`: removes the mappings and state files of sessions whose keeper and mosh-server are gone.

use std::process::{ExitCode, Stdio};

use anyhow::Result;

use crate::commands::keeper::{leave_session, spawn_detached};
use crate::release::release;
use crate::runtime_directory;
use crate::session::{Kept, State, StateFile};

/// By which this program is told to sweep.
pub(crate) const WORD: &str = "--sweep";

/// Beside the user's session, which does not wait for it.
pub(crate) fn start_if_needed() {
    let Ok(directory) = runtime_directory::open() else { return };
    let dead =
        StateFile::orphans(&directory).is_ok_and(|orphans| orphans.iter().any(|(_, state)| is_dead(state)));
    if dead && let Err(error) = spawn_detached(&[WORD], Stdio::null()) {
        tracing::debug!(%error);
    }
}

pub(crate) fn run() -> Result<ExitCode> {
    leave_session()?;
    for (file, state) in StateFile::orphans(&runtime_directory::open()?)? {
        if !is_dead(&state) {
            continue;
        }
        if let Ok(state) = state {
            release_all(&state);
        }
        file.remove()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn release_all(state: &State) {
    for Kept { mapping, .. } in &state.mappings {
        if let Err(error) = release(mapping, &state.name.description, None) {
            tracing::debug!(%error, "left to its lease");
        }
    }
}

/// A file that nobody can read stands for nothing that could be saved.
fn is_dead(state: &Result<State>) -> bool {
    !state.as_ref().is_ok_and(|state| state.process.is_alive())
}
