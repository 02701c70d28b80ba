//! What `map add` made, so that a later process can renew and remove it: one file a mapping.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use net::clock;
use portmap::mapper::{Mapping, Protocol};
use portmap::mapping::Transport;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::map::exit_code::ExitCode;
use crate::session::Name;
use crate::state::locked_file::{self, LockedFile};
use crate::state::runtime_directory;
use crate::state::saved_mapping::SavedMapping;

const EXTENSION: &str = "mapping";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MapRecord {
    pub(super) name: Name,
    pub(super) mapping: SavedMapping,
    pub(super) external_address: Option<IpAddr>,
    /// As asked for.
    pub(super) lease: Duration,
    /// In seconds since 1970; `None`: when it is deleted.
    pub(super) expires: Option<u64>,
}

/// A record that somebody may hold: `map add --keep`, or a command that is at it just now.
#[derive(Debug)]
pub(super) struct FoundRecord {
    path: PathBuf,
    pub(super) record: MapRecord,
}

impl MapRecord {
    pub(super) fn new(name: Name, mapping: &Mapping, lease: Duration) -> Self {
        Self {
            name,
            mapping: SavedMapping::new(mapping.internal.ip(), &mapping.record),
            external_address: mapping.external_address,
            lease,
            expires: mapping.lease.map(|lease| clock::unix_seconds() + lease.as_secs()),
        }
    }

    /// What is left of the lease; `None`: no end.
    pub(super) fn seconds_left(&self, now: u64) -> Option<u64> {
        self.expires.map(|expires| expires.saturating_sub(now))
    }

    pub(super) fn is_for(
        &self,
        port: NonZeroU16,
        transport: Transport,
        external: Option<NonZeroU16>,
    ) -> bool {
        let SavedMapping { internal_port, external_port, .. } = self.mapping;
        internal_port == port
            && self.mapping.transport() == transport
            && external.is_none_or(|external| external == external_port)
    }
}

/// Where it is written down: one file for each name and protocol.
pub(super) fn path(record: &MapRecord) -> Result<PathBuf> {
    let protocol = match record.mapping.protocol() {
        Protocol::Pcp => "pcp",
        Protocol::NatPmp => "nat-pmp",
        Protocol::Upnp => "upnp",
    };
    let file = format!("{}-{protocol}.{EXTENSION}", record.name.id);
    Ok(runtime_directory::open()?.join(file))
}

impl FoundRecord {
    /// Locks it; what it says may have changed since it was found.
    pub(super) fn adopt(self) -> Result<(LockedFile, MapRecord), Failure> {
        let held = || {
            Failure::new(
                ExitCode::Failure,
                format!(
                    "another moshpunch looks after the mapping of port {}",
                    self.record.mapping.internal_port
                ),
                "end that one (`map add --keep` then removes the mapping)",
            )
        };
        let (file, record) = LockedFile::adopt(self.path.clone()).ok_or_else(held)?;
        Ok((file, record?))
    }
}

/// Of this user; those that cannot be read are passed over.
pub(super) fn all() -> Result<Vec<FoundRecord>> {
    let paths = locked_file::paths(&runtime_directory::open()?, EXTENSION)?;
    let found = |path: PathBuf| locked_file::look(&path).ok().map(|record| FoundRecord { path, record });
    let mut found: Vec<_> = paths.into_iter().filter_map(found).collect();
    found.sort_by_key(|found| (found.record.mapping.external_port, found.path.clone()));
    Ok(found)
}

/// Those of one port of this host.
pub(super) fn of_port(
    port: NonZeroU16,
    transport: Transport,
    external: Option<NonZeroU16>,
) -> Result<Vec<FoundRecord>, Failure> {
    let mut found = all()?;
    found.retain(|found| found.record.is_for(port, transport, external));
    if found.is_empty() {
        return Err(Failure::new(
            ExitCode::NotOurs,
            format!("`map add` has made no mapping of port {port} of this host that is still recorded"),
            "`moshpunch map list` shows what there is, and whose",
        ));
    }
    Ok(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::state::saved_mapping::tests::{saved, upnp_control};

    pub(in crate::map) fn record() -> MapRecord {
        MapRecord {
            name: Name { id: "1a2b3c4d".into(), description: "moshpunch alice@server 1a2b3c4d".into() },
            mapping: saved(upnp_control("http://192.168.1.1:5000/control"), Transport::Udp),
            external_address: Some([20, 0, 0, 1].into()),
            lease: Duration::from_secs(3_600),
            expires: Some(5_000),
        }
    }

    fn port(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let text = serde_json::to_string(&record()).unwrap();
        assert_eq!(serde_json::from_str::<MapRecord>(&text).unwrap(), record());
    }

    #[test]
    fn a_record_is_found_by_the_port_of_this_host() {
        let record = record();
        assert!(record.is_for(port(60001), Transport::Udp, None));
        assert!(record.is_for(port(60001), Transport::Udp, Some(port(60001))));
        assert!(!record.is_for(port(60001), Transport::Udp, Some(port(60002))));
        assert!(!record.is_for(port(60001), Transport::Tcp, None));
        assert!(!record.is_for(port(60002), Transport::Udp, None));
    }

    #[test]
    fn a_lease_that_is_over_has_nothing_left() {
        assert_eq!(record().seconds_left(4_000), Some(1_000));
        assert_eq!(record().seconds_left(6_000), Some(0));
        assert_eq!(MapRecord { expires: None, ..record() }.seconds_left(0), None);
    }
}
