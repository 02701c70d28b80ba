//! `moshpunch --sweep`: removes the mappings and state files of sessions whose keeper and mosh-server are gone.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::Result;
use net::clock;
use net::interfaces::Attachment;
use rustix::process::Pid;

use crate::keeper::detached::{leave_session, spawn_detached};
use crate::release::release;
use crate::session::{Kept, State, StateFile};
use crate::state::runtime_directory;

/// By which this program is told to sweep.
pub const WORD: &str = "--sweep";

/// Beside the user's session, which does not wait for it.
pub(crate) fn start_if_needed() -> Option<Pid> {
    let directory = runtime_directory::open().ok()?;
    if !is_needed(&directory) {
        return None;
    }
    spawn_detached(&[WORD], Stdio::null()).inspect_err(|error| tracing::debug!(%error)).ok()
}

fn is_needed(directory: &Path) -> bool {
    let mut dead = StateFile::orphans(directory).unwrap_or_default();
    dead.retain(|(_, state)| is_dead(state));
    StateFile::is_any_unfinished(directory) || any_for_now(&dead)
}

fn any_for_now(dead: &[(StateFile, Result<State>)]) -> bool {
    if dead.is_empty() {
        return false;
    }
    let here = Attachment::read().unwrap_or_default();
    dead.iter().any(|(_, state)| is_for_now(state, &here))
}

/// # Errors
///
/// What is on disk cannot be read.
pub fn run() -> Result<ExitCode> {
    leave_session()?;
    let directory = runtime_directory::open()?;
    StateFile::remove_unfinished(&directory)?;
    let here = Attachment::read()?;
    for (file, state) in StateFile::orphans(&directory)? {
        if is_dead(&state)
            && let Err(error) = clear(file, state, &here)
        {
            tracing::debug!(%error, "to be swept another time");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn clear(mut file: StateFile, state: Result<State>, here: &Attachment) -> Result<()> {
    match state.map(|state| sweep(state, here)) {
        Ok(rest) if !rest.elsewhere.is_empty() => file.replace(&rest),
        _ => file.remove(),
    }
}

/// What is left is for another address of this host to delete. What this one may delete is, whatever the clock says: it may
/// have been wrong when the lease began.
fn sweep(state: State, here: &Attachment) -> State {
    let all = state.mappings.into_iter().chain(state.elsewhere);
    let (deletable, mut elsewhere): (Vec<_>, Vec<_>) = all.partition(|kept| is_here(kept, here));
    elsewhere.retain(|kept| !is_over(kept));
    for Kept { mapping, .. } in &deletable {
        if let Err(error) = release(mapping, &state.name.description, None) {
            tracing::debug!(%error, "left to its lease");
        }
    }
    State { mappings: Vec::new(), elsewhere, ..state }
}

/// A file that nobody can read stands for nothing that could be saved.
fn is_dead(state: &Result<State>) -> bool {
    !state.as_ref().is_ok_and(|state| state.process.is_alive())
}

fn is_for_now(state: &Result<State>, here: &Attachment) -> bool {
    let is_waiting = |kept: &Kept| !is_over(kept) && !is_here(kept, here);
    !state.as_ref().is_ok_and(|state| {
        let mut kept = state.mappings.iter().chain(&state.elsewhere).peekable();
        kept.peek().is_some() && kept.all(is_waiting)
    })
}

fn is_over(kept: &Kept) -> bool {
    kept.is_over(clock::unix_seconds())
}

fn is_here(kept: &Kept, here: &Attachment) -> bool {
    here.addresses.iter().any(|own| own.address == kept.mapping.internal)
}

#[cfg(test)]
mod tests {
    use std::slice;

    use net::interfaces::LocalAddress;
    use portmap::mapping::Transport;

    use super::*;
    use crate::state::saved_mapping::tests::{saved, upnp_control};

    fn kept(internal: &str, expires: Option<u64>) -> Kept {
        let mut mapping = saved(upnp_control("http://192.168.1.1/control"), Transport::Udp);
        mapping.internal = internal.parse().unwrap();
        Kept { mapping, external_address: None, expires }
    }

    fn dead(mappings: &[Kept], elsewhere: &[Kept]) -> Result<State> {
        let text = r#"{"name":{"id":"a","description":"b"},"process":{"pid":1,"started":0},"mappings":[]}"#;
        let state: State = serde_json::from_str(text)?;
        Ok(State { mappings: mappings.to_vec(), elsewhere: elsewhere.to_vec(), ..state })
    }

    fn host_at(address: &str) -> Attachment {
        let own = LocalAddress { interface: 2, address: address.parse().unwrap(), prefix_length: 24 };
        Attachment { addresses: vec![own], gateways: Vec::new() }
    }

    #[test]
    fn what_only_another_address_may_delete_waits_for_the_host_to_be_there() {
        let here = host_at("192.168.1.21");
        let there = kept("192.168.1.11", None);
        let state = dead(slice::from_ref(&there), &[]);
        assert!(is_dead(&state) && !is_for_now(&state, &here));
        assert!(is_for_now(&state, &host_at("192.168.1.11")));
        let rest = sweep(state.unwrap(), &here);
        assert_eq!((rest.mappings, rest.elsewhere), (Vec::new(), vec![there]));
    }

    #[test]
    fn but_not_longer_than_its_lease() {
        let here = host_at("192.168.1.21");
        let over = kept("192.168.1.11", Some(1));
        let state = dead(&[], &[over]);
        assert!(is_for_now(&state, &here));
        assert_eq!(sweep(state.unwrap(), &here).elsewhere, []);
    }
}
