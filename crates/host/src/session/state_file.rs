//! What is left to clean up, should a session die: one file a session, held under a lock by its keeper.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Deserializer, Serialize};

use wire::channel::SessionId;

use super::Name;
use crate::mosh_server::ProcessIdentity;
use crate::state::locked_file::{self, LockedFile};
use crate::state::saved_mapping::SavedMapping;

const EXTENSION: &str = "session";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) name: Name,
    pub(crate) process: ProcessIdentity,
    /// mosh-server's. `None`: it was written before a later login had to know.
    #[serde(default)]
    pub(crate) port: Option<NonZeroU16>,
    /// Whether its keeper has mosh-server's socket, to send openers from it.
    #[serde(default)]
    pub(crate) punches: bool,
    #[serde(alias = "mapping", deserialize_with = "one_or_several")]
    pub(crate) mappings: Vec<Kept>,
    /// What was made from addresses that this host did not have any more: only from there it can be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) elsewhere: Vec<Kept>,
}

/// A mapping of the session, or a pinhole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(flatten)]
    pub(crate) mapping: SavedMapping,
    /// As far as the gateway tells.
    #[serde(default)]
    pub(crate) external_address: Option<IpAddr>,
    /// In seconds since 1970; `None`: when it is deleted, or not known.
    #[serde(default)]
    pub(crate) expires: Option<u64>,
}

impl State {
    /// Whether a reader learns the same of where the session is reached: all but when that ends.
    pub(crate) fn tells_as(&self, other: &Self) -> bool {
        let told = |kept: &Kept| (kept.mapping.clone(), kept.external_address);
        self.mappings.iter().map(told).eq(other.mappings.iter().map(told))
    }
}

impl Kept {
    pub(crate) fn is_over(&self, unix_seconds: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= unix_seconds)
    }
}

/// Before there were pinholes, a session had one mapping.
fn one_or_several<'de, D: Deserializer<'de>>(content: D) -> Result<Vec<Kept>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Mappings {
        Several(Vec<Kept>),
        One(Kept),
    }
    Ok(match Mappings::deserialize(content)? {
        Mappings::Several(mappings) => mappings,
        Mappings::One(mapping) => vec![mapping],
    })
}

/// A locked state file.
#[derive(Debug)]
pub(crate) struct StateFile(LockedFile);

impl StateFile {
    pub(crate) fn create(directory: &Path, state: &State) -> Result<Self> {
        let path = directory.join(&state.name.id).with_extension(EXTENSION);
        LockedFile::create(path, state).map(Self)
    }

    pub(crate) fn replace(&mut self, state: &State) -> Result<()> {
        self.0.replace(state)
    }

    /// Whether somebody has deleted it.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.is_gone()
    }

    pub(crate) fn is_in(&self, directory: &Path) -> bool {
        self.0.is_in(directory)
    }

    /// Deletes the file, if nobody else has.
    pub(crate) fn remove(self) -> Result<()> {
        self.0.remove()
    }

    /// The files in `directory` whose keepers are gone, now locked by the caller.
    pub(crate) fn orphans(directory: &Path) -> Result<Vec<(Self, Result<State>)>> {
        let adopted = locked_file::paths(directory, EXTENSION)?.into_iter().filter_map(LockedFile::adopt);
        Ok(adopted.map(|(file, state)| (Self(file), state)).collect())
    }

    pub(crate) fn is_any_unfinished(directory: &Path) -> bool {
        locked_file::unfinished(directory).is_ok_and(|unfinished| !unfinished.is_empty())
    }

    /// Deletes what writers that were killed left half done.
    pub(crate) fn remove_unfinished(directory: &Path) -> Result<()> {
        locked_file::remove_unfinished(directory)
    }

    /// What the session of that id has written, alive or not.
    pub(crate) fn of(directory: &Path, id: SessionId) -> Result<State> {
        locked_file::look(&directory.join(id.to_string()).with_extension(EXTENSION))
    }

    /// What all sessions of this user have written, alive or not.
    pub(crate) fn all(directory: &Path) -> Result<Vec<State>> {
        let paths = locked_file::paths(directory, EXTENSION)?;
        Ok(paths.iter().filter_map(|path| locked_file::look(path).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use portmap::mapping::Transport;

    use super::*;
    use crate::state::saved_mapping::tests::{pinhole_control, saved, upnp_control};

    fn state(id: &str) -> State {
        let name = Name { id: id.into(), description: format!("moshpunch alice@server {id}") };
        let process = serde_json::from_str(r#"{"pid":1,"started":2}"#).unwrap();
        let mapping = saved(upnp_control("http://192.168.1.1:5000/control?x"), Transport::Udp);
        let mapping = Kept { mapping, external_address: Some([20, 0, 0, 1].into()), expires: Some(7) };
        let pinhole = saved(pinhole_control(), Transport::Udp);
        let pinhole =
            Kept { mapping: pinhole, external_address: Some("2a00:7::10".parse().unwrap()), expires: None };
        State {
            name,
            process,
            port: NonZeroU16::new(60001),
            elsewhere: vec![mapping.clone()],
            punches: false,
            mappings: vec![mapping, pinhole],
        }
    }

    fn orphans(directory: &Path) -> Vec<State> {
        StateFile::orphans(directory).unwrap().into_iter().map(|(_, state)| state.unwrap()).collect()
    }

    #[test]
    fn a_file_is_an_orphan_only_once_its_keeper_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = StateFile::create(directory.path(), &state("aaaaaaaa")).unwrap();
        assert_eq!(orphans(directory.path()), []);
        file.replace(&state("aaaaaaaa")).unwrap();
        assert_eq!(orphans(directory.path()), []);
        assert_eq!(StateFile::all(directory.path()).unwrap(), [state("aaaaaaaa")]);
        drop(file);
        assert_eq!(orphans(directory.path()), [state("aaaaaaaa")]);
    }

    #[test]
    fn an_orphan_belongs_to_the_first_who_finds_it() {
        let directory = tempfile::tempdir().unwrap();
        drop(StateFile::create(directory.path(), &state("aaaaaaaa")).unwrap());
        let found = StateFile::orphans(directory.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(orphans(directory.path()), []);
    }

    #[test]
    fn a_removed_file_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        StateFile::create(directory.path(), &state("aaaaaaaa")).unwrap().remove().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_of_before_there_were_transports_is_about_one_mapping_of_udp() {
        let text = r#"{"name":{"id":"a","description":"b"},"process":{"pid":1,"started":2},
            "mapping":{"internal":"192.168.1.10","gateway":"192.168.1.1","external_port":60001,
            "internal_port":60001,"protocol":"NatPmp"}}"#;
        let state: State = serde_json::from_str(text).unwrap();
        assert_eq!(state.port, None);
        let [Kept { mapping, external_address: None, expires: None }] = &state.mappings[..] else {
            panic!("{state:?}")
        };
        assert_eq!((mapping.transport(), mapping.external_port.get()), (Transport::Udp, 60001));
    }
}
