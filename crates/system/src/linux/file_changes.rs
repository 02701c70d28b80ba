//! Hears that a file was written, replaced or removed; what is in it now is the caller's to read.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// The end of each way in which a file changes. Its directory is watched, because a rename replaces the file itself.
const WATCHED: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Events that say nothing of the file, but that more cannot be heard, or that some were lost.
const LOST: ReadFlags = ReadFlags::IGNORED
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::QUEUE_OVERFLOW);

/// An event is 16 bytes and a name of at most 255.
const BUFFER_BYTES: usize = 4096;

/// A storm of changes must not keep the loop from its timers.
const EVENTS_PER_TURN: usize = 1024;

#[derive(Debug)]
pub struct FileChanges {
    directory: PathBuf,
    name: OsString,
    events: OwnedFd,
}

/// What was heard since the last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    Nothing,
    Changed,
    /// The directory itself was moved or removed, or events were lost: watch again, and read.
    Lost,
}

impl FileChanges {
    /// The file may be missing; its directory may not.
    ///
    /// # Errors
    ///
    /// The directory cannot be watched, or `file` has no name.
    pub fn watch(file: &Path) -> io::Result<Self> {
        let name = file.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
        let directory = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(&events, &directory, WATCHED)?;
        Ok(Self { directory, name, events })
    }

    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn heard(&self) -> Heard {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut events = inotify::Reader::new(&self.events, &mut buffer);
        let mut heard = Heard::Nothing;
        for _ in 0..EVENTS_PER_TURN {
            let Ok(event) = events.next() else { break };
            heard = heard.max(self.meaning(&event));
        }
        heard
    }

    fn meaning(&self, event: &inotify::Event<'_>) -> Heard {
        if event.events().intersects(LOST) {
            return Heard::Lost;
        }
        let ours = event.file_name().is_some_and(|name| OsStr::from_bytes(name.to_bytes()) == self.name);
        if ours { Heard::Changed } else { Heard::Nothing }
    }
}

impl AsFd for FileChanges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory of this test's own.
    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("moshpunch-{name}-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        directory
    }

    #[test]
    fn every_way_to_change_the_file_is_heard_and_no_other_file() {
        let directory = directory("file-changes");
        let (file, beside) = (directory.join("leases"), directory.join("leasesX1"));
        let changes = FileChanges::watch(&file).unwrap();
        assert_eq!(changes.heard(), Heard::Nothing);
        fs::write(&beside, "new").unwrap();
        assert_eq!(changes.heard(), Heard::Nothing);
        fs::rename(&beside, &file).unwrap();
        assert_eq!(changes.heard(), Heard::Changed);
        fs::write(&file, "newer").unwrap();
        assert_eq!(changes.heard(), Heard::Changed);
        fs::remove_file(&file).unwrap();
        assert_eq!(changes.heard(), Heard::Changed);
        assert_eq!(changes.heard(), Heard::Nothing);
        fs::remove_dir(&directory).unwrap();
        assert_eq!(changes.heard(), Heard::Lost);
    }

    #[test]
    fn a_directory_that_is_missing_cannot_be_watched() {
        let error = FileChanges::watch(Path::new("/nowhere/leases")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
