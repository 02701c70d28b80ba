//! Follows the lease file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use miniupnpd::guard::{Claims, Scope};
use miniupnpd::lease_file::BYTES_MAXIMUM;
use miniupnpd::pace::Pace;
use net::{FileChanges, Heard, clock};
use rustix::event::{PollFd, PollFlags};

use crate::system::open;

/// Between looks for a directory that is not there; no more than a port may be mapped without being held.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(super) struct LeaseFile {
    path: PathBuf,
    /// `None`: there is no directory to watch.
    changes: Option<FileChanges>,
    look_again: Option<Instant>,
    is_unread: bool,
    /// A file of forged lines may be long, and be written often.
    pace: Pace,
}

/// Of a file, at a time.
const PIECE_BYTES: usize = 64 * 1024;

impl LeaseFile {
    pub(super) fn watch(path: &Path, now: Instant) -> Self {
        let pace = Pace::new(Duration::ZERO);
        let mut file = Self { path: path.to_owned(), changes: None, look_again: None, is_unread: true, pace };
        file.watch_again(now);
        file
    }

    /// Whether it has changed since the last call.
    pub(super) fn has_changed(&mut self, now: Instant) -> bool {
        let has_changed = match self.changes.as_ref().map(FileChanges::heard) {
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
        };
        self.is_unread |= has_changed;
        has_changed
    }

    /// Whether it is to be read now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.is_unread && self.pace.allows(now)
    }

    /// No file is no lease: miniupnpd makes it with the first one.
    pub(super) fn read(&mut self, scope: &Scope) -> io::Result<Claims> {
        self.is_unread = false;
        let began = clock::now();
        let mut claims = Claims::at(clock::unix_seconds());
        let file = match self.open() {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(claims),
            Err(error) => return Err(error),
        };
        let mut file = file.take(BYTES_MAXIMUM);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece)? {
                0 if file.limit() == 0 => {
                    claims.cut_off();
                    break;
                }
                0 => break,
                length => claims.read(&piece[..length], scope),
            }
        }
        self.pace.rest(began, clock::now());
        Ok(claims)
    }

    /// What is no file may never end.
    fn open(&self) -> io::Result<File> {
        let file = open(&self.path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a file")),
        }
    }

    /// What is to be read anyway is no reason to wake up once more: whoever writes without end would keep us awake.
    pub(super) fn descriptor(&self) -> Option<PollFd<'_>> {
        let changes = self.changes.as_ref().filter(|_| !self.is_unread);
        changes.map(|changes| PollFd::from_borrowed_fd(changes.as_fd(), PollFlags::IN))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let of_pace = self.pace.next().filter(|_| self.is_unread);
        self.look_again.into_iter().chain(of_pace).min()
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
