//! `moshpunch server offer PORT`: where a session that runs already can be reached now.

use std::ffi::OsString;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use net::clock;
use wire::channel::SessionId;
use wire::offer::{Candidate, Offer};

use super::offer::print;
use crate::cause::Cause;
use crate::channel::{self, Login, Reason, Session, Telling, opened};
use crate::configuration::Configuration;
use crate::mosh_server::ProcessIdentity;
use crate::own_candidates::{self, OwnCandidates};
use crate::session::{FromKeeper, Kept, Link, Opening, Socket, StateFile};
use crate::ssh_connection::SshConnection;
use crate::state::runtime_directory;

const WORD: &str = "offer";

/// It answers at once, unless it is stopped.
const PATIENCE_WITH_A_KEEPER: Duration = Duration::from_secs(2);

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
    let own = own_candidates::of(port);
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
    let mut keeper = Socket::connect(&id.to_string());
    let running = Running::written(id).or_else(|| Running::told(keeper.as_mut().ok()?));
    let Some(running) = running.filter(|running| running.port == port && running.process.is_alive()) else {
        return Ok(io::stdout().write_all(Reason::Gone.bye().as_bytes())?);
    };
    let own = OwnCandidates::read(port);
    let candidates: Vec<_> =
        own.present().iter().copied().chain(running.mappings.iter().filter_map(candidate)).collect();
    let mut telling = Telling::after(&candidates, clock::now());
    print(&Offer { candidates, more: false })?;
    let keeper = keeper.map_err(|error| {
        telling.trouble(Cause::NotAttached(format!("{error:#}")).trouble().put_into_words());
    });
    let session = Session { id, port, process: Some(running.process) };
    let login = Login {
        seen: ssh.map(|ssh| ssh.client),
        telling,
        own,
        keeper: keeper.ok(),
        reaper: None,
        carry: configuration.carry,
        punches: running.punches && configuration.punch,
    };
    channel::serve(session, login)
}

/// A session, as it is known to others.
struct Running {
    process: ProcessIdentity,
    port: NonZeroU16,
    mappings: Vec<Kept>,
    punches: bool,
}

impl Running {
    fn written(id: SessionId) -> Option<Self> {
        let state = StateFile::of(&runtime_directory::open().ok()?, id).ok()?;
        Some(Self {
            process: state.process,
            port: state.port?,
            mappings: state.mappings,
            punches: state.punches,
        })
    }

    /// Where nothing is written any more, or could be. Of the mappings it tells behind that.
    fn told(keeper: &mut Link) -> Option<Self> {
        match keeper.receive_within(PATIENCE_WITH_A_KEEPER) {
            Ok(Some(FromKeeper::Session { process, port, punches, .. })) => {
                Some(Self { process, port, mappings: Vec::new(), punches })
            }
            _ => None,
        }
    }
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
