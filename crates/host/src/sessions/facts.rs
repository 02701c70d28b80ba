//! What the system and our state files tell, as it was read.

use std::net::IpAddr;

use net::interfaces::Attachment;
use system::linux::utmp;

use crate::mosh_server::ProcessIdentity;
use crate::session::State;
use crate::ssh_connection::SshConnection;

#[derive(Debug, Default)]
pub(super) struct Facts {
    /// In seconds since 1970.
    pub(super) now: u64,
    pub(super) servers: Vec<Server>,
    /// `None`: nobody keeps such a file here.
    pub(super) utmp: Option<Vec<utmp::Entry>>,
    /// Of this user's sessions, those that have ended included.
    pub(super) states: Vec<State>,
    pub(super) keepers: Vec<KeeperProcess>,
    pub(super) host: Attachment,
}

/// A mosh-server that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) process: ProcessIdentity,
    pub(super) user: u32,
    pub(super) user_name: Option<String>,
    /// In seconds since 1970.
    pub(super) started_at: u64,
    pub(super) is_stopped: bool,
    pub(super) port: Option<u16>,
    /// By which its session was started.
    pub(super) ssh: Option<SshConnection>,
    /// The session's, below `/dev`.
    pub(super) terminal: Option<String>,
    /// The name of what has that terminal; `None` before the first client has come, too.
    pub(super) runs: Option<String>,
}

/// A keeper that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeeperProcess {
    pub(super) process: ProcessIdentity,
    pub(super) is_stopped: bool,
    /// The id of its session.
    pub(super) id: String,
    /// Of mosh-server's socket, as it tells: in seconds since 1970, late by up to half a minute.
    pub(super) last_traffic: Option<u64>,
}

impl Facts {
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.host.is_own(address)
    }
}
