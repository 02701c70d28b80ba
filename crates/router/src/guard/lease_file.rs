//! Follows the lease file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use miniupnpd::lease_file::{self, BYTES_MAXIMUM, Lease};
use net::{FileChanges, Heard};
use rustix::event::{PollFd, PollFlags};

/// Between looks for a directory that is not there; no more than a port may be mapped without being held.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(super) struct LeaseFile {
    path: PathBuf,
    /// `None`: there is no directory to watch.
    changes: Option<FileChanges>,
    look_again: Option<Instant>,
}

impl LeaseFile {
    pub(super) fn watch(path: &Path, now: Instant) -> Self {
        let mut file = Self { path: path.to_owned(), changes: None, look_again: None };
        file.watch_again(now);
        file
    }

    /// Whether it is to be read.
    pub(super) fn has_changed(&mut self, now: Instant) -> bool {
        match self.changes.as_ref().map(FileChanges::heard) {
            Some(Heard::Nothing) => false,
            Some(Heard::Changed) => true,
            Some(Heard::Lost) => {
                self.watch_again(now);
                true
            }
            None if self.look_again.is_some_and(|at| at <= now) => {
                self.watch_again(now);
                self.changes.is_some()
            }
            None => false,
        }
    }

    /// No file is no lease: miniupnpd makes it with the first one.
    pub(super) fn read(&self) -> io::Result<Vec<Lease>> {
        let mut bytes = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file.take(BYTES_MAXIMUM).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(lease_file::parse(&bytes))
    }

    pub(super) fn descriptor(&self) -> Option<PollFd<'_>> {
        self.changes.as_ref().map(|changes| PollFd::from_borrowed_fd(changes.as_fd(), PollFlags::IN))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.look_again
    }

    fn watch_again(&mut self, now: Instant) {
        let watched = FileChanges::watch(&self.path);
        if let Err(error) = &watched
            && self.look_again.is_none()
        {
            let path = self.path.display();
            report::note(format_args!(
                "waiting for the directory of {path}, which miniupnpd does not make: {error}"
            ));
        }
        self.look_again = watched.is_err().then(|| now + LOOK_AGAIN);
        self.changes = watched.ok();
    }
}
