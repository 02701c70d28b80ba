//! `moshpunch server offer PORT`: where a session that runs already can be reached now.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::process::ExitCode;

use anyhow::{Context, Result};
use wire::offer::{Candidate, Offer};

use super::offer::{opened, own_candidates, print};
use crate::session::{Kept, Opening, StateFile};
use crate::state::runtime_directory;

const WORD: &str = "offer";

/// What comes after `moshpunch server offer`, if these arguments are that.
pub(super) fn is_asked_for(arguments: &[OsString]) -> Option<&[OsString]> {
    arguments.split_first().filter(|(first, _)| *first == WORD).map(|(_, rest)| rest)
}

pub(super) fn run(arguments: &[OsString]) -> Result<ExitCode> {
    let port = match arguments {
        [port] => port.to_str().and_then(|port| port.parse().ok()),
        _ => None,
    };
    let port = port.context("one port expected: moshpunch server offer PORT")?;
    let own = own_candidates(port);
    let mut candidates =
        own.with_context(|| format!("no session of yours has the port {port} on this host"))?;
    candidates.extend(opened_candidates(port)?);
    print(&Offer { candidates, more: false })?;
    Ok(ExitCode::SUCCESS)
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
            assert!(run(&words).unwrap_err().to_string().starts_with("one port expected"), "{line:?}");
        }
    }
}
