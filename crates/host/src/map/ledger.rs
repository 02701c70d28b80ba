//! What one command writes down: each mapping before it is asked for, and those that may stay behind.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use portmap::mapper::{Mapping, Protocol, Record};

use super::failure::Failure;
use super::record::{self, MapRecord};
use crate::map::exit_code::ExitCode;
use crate::session::Name;
use crate::state::locked_file::LockedFile;
use crate::state::saved_mapping::SavedMapping;

/// One file for each protocol that was asked: a later one may be asked while an earlier one can still grant.
/// Whoever is killed leaves the files, and with them what `map remove` needs.
#[derive(Debug)]
pub(super) struct Ledger {
    name: Name,
    internal: IpAddr,
    /// As asked for.
    lease: Duration,
    files: BTreeMap<Protocol, LockedFile>,
    /// Those whose mapping may stay behind.
    left: Vec<Protocol>,
    /// An earlier command has made it, and this one was not granted it yet.
    is_continued: bool,
}

impl Ledger {
    pub(super) fn new(name: Name, internal: IpAddr, lease: Duration) -> Self {
        Self { name, internal, lease, files: BTreeMap::new(), left: Vec::new(), is_continued: false }
    }

    /// Goes on with the file of a mapping that is asked for again.
    pub(super) fn continued(file: LockedFile, record: &MapRecord, lease: Duration) -> Self {
        let files = BTreeMap::from([(record.mapping.protocol(), file)]);
        let (name, internal) = (record.name.clone(), record.mapping.internal);
        Self { name, internal, lease, files, left: Vec::new(), is_continued: true }
    }

    /// # Errors
    ///
    /// There is no room, or it may not be written: then it must not be asked for.
    pub(super) fn asked(&mut self, record: &Record) -> Result<(), Failure> {
        if self.is_continued {
            return Ok(());
        }
        self.write(record.protocol, &self.record_of(record)).map_err(unwritten)
    }

    pub(super) fn mapped(&mut self, mapping: &Mapping) -> Result<MapRecord, Failure> {
        let protocol = mapping.record.protocol;
        let record = MapRecord::new(self.name.clone(), mapping, self.lease);
        self.write(protocol, &record).map_err(unwritten)?;
        self.is_continued = false;
        self.keep_only(|of| of == protocol);
        Ok(record)
    }

    pub(super) fn left(&mut self, record: &Record) {
        if !self.files.contains_key(&record.protocol)
            && let Err(error) = self.write(record.protocol, &self.record_of(record))
        {
            tracing::warn!(%error, "what may stay behind is not recorded");
        }
        self.left.push(record.protocol);
    }

    pub(super) fn is_anything_left(&self) -> bool {
        !self.left.is_empty()
    }

    /// Nothing is there but what may stay behind.
    pub(super) fn close(mut self) {
        if !self.is_continued {
            self.keep_only(|_| false);
        }
    }

    fn keep_only(&mut self, is_kept: impl Fn(Protocol) -> bool) {
        let over = |protocol: &Protocol| !is_kept(*protocol) && !self.left.contains(protocol);
        let over: Vec<_> = self.files.keys().copied().filter(over).collect();
        for file in over.iter().filter_map(|protocol| self.files.remove(protocol)) {
            if let Err(error) = file.remove() {
                tracing::debug!(%error);
            }
        }
    }

    /// Until its answer says otherwise, it stays until somebody deletes it.
    fn record_of(&self, record: &Record) -> MapRecord {
        let mapping = SavedMapping::new(self.internal, record);
        MapRecord {
            name: self.name.clone(),
            mapping,
            external_address: None,
            lease: self.lease,
            expires: None,
        }
    }

    fn write(&mut self, protocol: Protocol, record: &MapRecord) -> anyhow::Result<()> {
        match self.files.get_mut(&protocol) {
            Some(file) => file.replace(record)?,
            None => drop(self.files.insert(protocol, LockedFile::create(record::path(record)?, record)?)),
        }
        Ok(())
    }
}

fn unwritten(error: anyhow::Error) -> Failure {
    Failure::new(
        ExitCode::Failure,
        format!("the mapping cannot be recorded: {error:#}"),
        "make room there; what nobody could remove later is not made",
    )
}
