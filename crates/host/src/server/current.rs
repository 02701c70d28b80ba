//! `moshpunch server offer PORT`: where a session that runs already can be reached now.

use std::ffi::OsString;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::process::ExitCode;

use anyhow::{Context, Result};
use net::clock;
use wire::channel::SessionId;
use wire::offer::{Candidate, Offer};

use super::offer::{own_candidates, print};
use crate::cause::Cause;
use crate::channel::{self, Login, Reason, Session, Telling, opened};
use crate::configuration::Configuration;
use crate::session::{Kept, Opening, Socket, StateFile};
use crate::ssh_connection::SshConnection;
use crate::state::runtime_directory;

const WORD: &str = "offer";

/// What comes after `moshpunch server offer`, if these arguments are that.
pub(super) fn is_asked_for(arguments: &[OsString]) -> Option<&[OsString]> {
    arguments.split_first().filter(|(first, _)| *first == WORD).map(|(_, rest)| rest)
}

/// With `asked`, serves the channel of that session, if it is here.
pub(super) fn run(
    arguments: &[OsString],
    asked: Option<SessionId>,
    ssh: Option<SshConnection>,
    configuration: &Configuration,
) -> Result<ExitCode> {
    let port = match arguments {
        [port] => port.to_str().and_then(|port| port.parse().ok()),
        _ => None,
    };
    let port = port.context("one port expected: moshpunch server offer PORT")?;
    match asked {
        Some(id) => attach(id, port, ssh, configuration)?,
        None => tell(port)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(port: NonZeroU16) -> Result<()> {
    let own = own_candidates(port);
    let mut candidates =
        own.with_context(|| format!("no session of yours has the port {port} on this host"))?;
    candidates.extend(opened_candidates(port)?);
    Ok(print(&Offer { candidates, more: false })?)
}

/// A port is no identity: another session of this user may have it by now, or this is not the host that is meant.
fn attach(
    id: SessionId,
    port: NonZeroU16,
    ssh: Option<SshConnection>,
    configuration: &Configuration,
) -> Result<()> {
    let directory = runtime_directory::open();
    let state = directory.as_ref().ok().and_then(|directory| StateFile::of(directory, id).ok());
    let state = state.filter(|state| state.port == Some(port) && state.process.is_alive());
    let (Ok(directory), Some(state)) = (directory, state) else {
        return Ok(io::stdout().write_all(Reason::Gone.bye().as_bytes())?);
    };
    let own = own_candidates(port).unwrap_or_default();
    let candidates: Vec<_> = own.into_iter().chain(state.mappings.iter().filter_map(candidate)).collect();
    let mut telling = Telling::after(&candidates, clock::now());
    print(&Offer { candidates, more: false })?;
    let keeper = Socket::connect(&directory, &state.name.id).map_err(|error| {
        telling.trouble(Cause::NotAttached(format!("{error:#}")).trouble().put_into_words());
    });
    let session = Session { id, port, process: Some(state.process) };
    let login = Login {
        seen: ssh.map(|ssh| ssh.client),
        telling,
        keeper: keeper.ok(),
        reaper: None,
        carry: configuration.carry,
        punches: state.punches && configuration.punch,
    };
    channel::serve(session, login)
}

/// What the keepers of sessions that run have written down.
fn opened_candidates(port: NonZeroU16) -> Result<Vec<Candidate>> {
    let sessions = StateFile::all(&runtime_directory::open()?)?;
    let alive = sessions.into_iter().filter(|session| session.process.is_alive());
    let kept = alive.flat_map(|session| session.mappings);
    Ok(kept.filter(|kept| kept.mapping.internal_port == port).filter_map(|kept| candidate(&kept)).collect())
}

fn candidate(Kept { mapping, external_address, .. }: &Kept) -> Option<Candidate> {
    let opening = if mapping.internal.is_ipv6() { Opening::Pinhole } else { Opening::Mapping };
    opened(opening, *external_address, mapping.external_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_itself_asks_for_an_offer() {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(is_asked_for(&words("offer 60001")), Some(&words("60001")[..]));
        assert_eq!(is_asked_for(&words("new -- offer 60001")), None);
        assert_eq!(is_asked_for(&words("192.168.1.10 60001")), None);
        assert_eq!(is_asked_for(&[]), None);
    }

    #[test]
    fn a_port_is_needed() {
        for line in [&["offer"][..], &["0"], &["60001", "60002"], &[]] {
            let words: Vec<_> = line.iter().map(OsString::from).collect();
            let error = run(&words, None, None, &Configuration::default()).unwrap_err();
            assert!(error.to_string().starts_with("one port expected"), "{line:?}");
        }
    }
}
