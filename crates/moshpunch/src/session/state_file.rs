//! What is left to clean up, should a session die: one file a session, held under a lock by its keeper.
//!
//! The lock is the sign of life. The kernel drops it with the keeper, so that no process number has to be trusted.
//! The file is replaced whole; the lock moves to the new one before it takes the old one's place.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use portmap::mapper::{Control, Protocol, Record};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::{self, url::Url};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::Name;
use crate::mosh_server::ProcessIdentity;

const VERSION: u32 = 1;
const EXTENSION: &str = "session";

/// A few hundred bytes are usual.
const FILE_BYTES_MAXIMUM: u64 = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    pub(crate) name: Name,
    pub(crate) process: ProcessIdentity,
    pub(crate) mapping: SavedMapping,
}

/// A mapping in a form that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedMapping {
    pub(crate) internal: IpAddr,
    pub(crate) gateway: IpAddr,
    pub(crate) external_port: NonZeroU16,
    internal_port: NonZeroU16,
    protocol: SavedProtocol,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum SavedProtocol {
    Pcp { nonce: [u8; 12] },
    NatPmp,
    Upnp { control_url: String, service_type: String },
}

impl SavedMapping {
    pub(crate) fn new(internal: IpAddr, record: &Record) -> Self {
        let protocol = match &record.control {
            Control::Upnp(control) => SavedProtocol::Upnp {
                control_url: control.url.to_string(),
                service_type: control.service_type.clone(),
            },
            Control::ControlPort { nonce: Some(nonce), .. } => SavedProtocol::Pcp { nonce: nonce.0 },
            Control::ControlPort { nonce: None, .. } => SavedProtocol::NatPmp,
        };
        let gateway = record.control.gateway();
        let Record { internal_port, external_port, .. } = *record;
        Self { internal, gateway, external_port, internal_port, protocol }
    }

    pub(crate) fn record(&self) -> Result<Record> {
        let gateway = self.gateway;
        let (protocol, control) = match &self.protocol {
            SavedProtocol::Pcp { nonce } => {
                (Protocol::Pcp, Control::ControlPort { gateway, nonce: Some(Nonce(*nonce)) })
            }
            SavedProtocol::NatPmp => (Protocol::NatPmp, Control::ControlPort { gateway, nonce: None }),
            SavedProtocol::Upnp { control_url, service_type } => {
                let url = Url::parse(control_url).with_context(|| control_url.clone())?;
                ensure!(url.served_by(gateway), "{url} is not on {gateway}");
                let service_type = service_type.clone();
                let control = upnp::client::Control { gateway, url, service_type, external_address: None };
                (Protocol::Upnp, Control::Upnp(control))
            }
        };
        let (internal_port, external_port) = (self.internal_port, self.external_port);
        Ok(Record { protocol, transport: Transport::Udp, internal_port, external_port, control })
    }

    /// What a PCP server knows the mapping by; any other will do for the other protocols.
    pub(crate) fn nonce(&self) -> Nonce {
        match self.protocol {
            SavedProtocol::Pcp { nonce } => Nonce(nonce),
            SavedProtocol::NatPmp | SavedProtocol::Upnp { .. } => Nonce([0; 12]),
        }
    }
}

impl State {
    pub(crate) fn new(name: Name, process: ProcessIdentity, mapping: SavedMapping) -> Self {
        Self { version: VERSION, name, process, mapping }
    }
}

/// A locked state file.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    lock: File,
}

impl StateFile {
    pub(crate) fn create(directory: &Path, state: &State) -> Result<Self> {
        let path = directory.join(&state.name.id).with_extension(EXTENSION);
        let lock = write_locked(&path, state)?;
        Ok(Self { path, lock })
    }

    pub(crate) fn replace(&mut self, state: &State) -> Result<()> {
        self.lock = write_locked(&self.path, state)?;
        Ok(())
    }

    /// Deletes the file.
    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).with_context(|| self.path.display().to_string())
    }

    /// The files in `directory` whose keepers are gone, now locked by the caller.
    pub(crate) fn orphans(directory: &Path) -> Result<Vec<(Self, Result<State>)>> {
        let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
        let paths = entries.flatten().map(|entry| entry.path());
        let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
        Ok(files.filter_map(Self::adopt).collect())
    }

    fn adopt(path: PathBuf) -> Option<(Self, Result<State>)> {
        let lock = File::open(&path).ok()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        let state = read(&lock);
        Some((Self { path, lock }, state))
    }
}

fn write_locked(path: &Path, state: &State) -> Result<File> {
    let new = path.with_extension("new");
    let context = || new.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow());
    let mut file = options.open(&new).with_context(context)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).with_context(context)?;
    file.write_all(&serde_json::to_vec(state)?).with_context(context)?;
    fs::rename(&new, path).with_context(context)?;
    Ok(file)
}

fn nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

fn read(file: &File) -> Result<State> {
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAXIMUM).read_to_end(&mut text)?;
    let state: State = serde_json::from_slice(&text)?;
    if state.version != VERSION {
        bail!("written by another version ({})", state.version);
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(id: &str) -> State {
        let name = Name { id: id.into(), description: format!("moshpunch alice@server {id}") };
        let process = serde_json::from_str(r#"{"pid":1,"started":2}"#).unwrap();
        State::new(name, process, saved(upnp_control("http://192.168.1.1:5000/control?x")))
    }

    fn upnp_control(url: &str) -> Control {
        Control::Upnp(upnp::client::Control {
            gateway: "192.168.1.1".parse().unwrap(),
            url: Url::parse(url).unwrap(),
            service_type: "urn:schemas-upnp-org:service:WANIPConnection:1".into(),
            external_address: None,
        })
    }

    fn saved(control: Control) -> SavedMapping {
        let protocol = match &control {
            Control::Upnp(_) => Protocol::Upnp,
            Control::ControlPort { nonce: Some(_), .. } => Protocol::Pcp,
            Control::ControlPort { nonce: None, .. } => Protocol::NatPmp,
        };
        let port = NonZeroU16::new(60001).unwrap();
        let (internal_port, external_port, transport) = (port, port, Transport::Udp);
        let record = Record { protocol, transport, internal_port, external_port, control };
        SavedMapping::new("192.168.1.10".parse().unwrap(), &record)
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
    fn only_the_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let file = StateFile::create(directory.path(), &state("aaaaaaaa")).unwrap();
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_saved_is_enough_to_delete_the_mapping() {
        let gateway = "192.168.1.1".parse().unwrap();
        for control in [
            upnp_control("http://192.168.1.1/control"),
            Control::ControlPort { gateway, nonce: Some(Nonce([5; 12])) },
            Control::ControlPort { gateway, nonce: None },
        ] {
            let saved = saved(control.clone());
            let text = serde_json::to_string(&saved).unwrap();
            let read: SavedMapping = serde_json::from_str(&text).unwrap();
            assert_eq!(read.record().unwrap().control, control);
        }
    }

    #[test]
    fn a_file_that_points_to_another_host_than_the_gateway_is_refused() {
        let saved = SavedMapping { gateway: "192.168.1.2".parse().unwrap(), ..state("a").mapping };
        assert!(saved.record().is_err());
    }
}
