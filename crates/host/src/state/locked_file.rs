//! Small files of state, replaced whole, each under a lock while somebody looks after what it is about.
//!
//! The lock is the sign of life. The kernel drops it with the process, so that no process number has to be trusted.
//! A file is replaced by a rename; the lock moves to the new one before it takes the old one's place.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use net::clock;
use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// What is to take a file's place, until it does.
const UNFINISHED: &str = "new";

/// In seconds: a page is written at once.
const TIME_TO_FINISH: u64 = 60;

/// A few hundred bytes are usual.
const FILE_BYTES_MAXIMUM: u64 = 64 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

#[derive(Debug)]
pub(crate) struct LockedFile {
    path: PathBuf,
    lock: File,
}

impl LockedFile {
    /// Mode 0600.
    pub(crate) fn create(path: PathBuf, content: &impl Serialize) -> Result<Self> {
        let lock = write_locked(&path, content)?;
        Ok(Self { path, lock })
    }

    pub(crate) fn replace(&mut self, content: &impl Serialize) -> Result<()> {
        self.lock = write_locked(&self.path, content)?;
        Ok(())
    }

    /// Whether somebody has deleted it.
    pub(crate) fn is_gone(&self) -> bool {
        fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    pub(crate) fn is_in(&self, directory: &Path) -> bool {
        self.path.parent() == Some(directory)
    }

    /// Deletes the file, if nobody else has.
    pub(crate) fn remove(self) -> Result<()> {
        if self.is_gone() {
            return Ok(());
        }
        fs::remove_file(&self.path).with_context(|| self.path.display().to_string())
    }

    /// The file with its content, now locked by the caller; `None` if somebody holds it, or it is gone.
    pub(crate) fn adopt<T: DeserializeOwned>(path: PathBuf) -> Option<(Self, Result<T>)> {
        let lock = File::open(&path).ok()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        // Its holder may have put another one into its place just now.
        let (here, there) = (lock.metadata().ok()?, fs::metadata(&path).ok()?);
        let same = (here.dev(), here.ino()) == (there.dev(), there.ino());
        let content = read(&lock);
        same.then_some((Self { path, lock }, content))
    }
}

/// The files of one kind.
pub(crate) fn paths(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
}

/// The content, whoever holds the file.
pub(crate) fn look<T: DeserializeOwned>(path: &Path) -> Result<T> {
    read(&File::open(path).with_context(|| path.display().to_string())?)
}

/// What writers that were killed left in `directory`.
pub(crate) fn unfinished(directory: &Path) -> Result<Vec<PathBuf>> {
    let latest = clock::unix_seconds().saturating_sub(TIME_TO_FINISH).cast_signed();
    let is_old = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|file| file.mtime() <= latest);
    Ok(paths(directory, UNFINISHED)?.into_iter().filter(is_old).collect())
}

pub(crate) fn remove_unfinished(directory: &Path) -> Result<()> {
    for path in unfinished(directory)? {
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn write_locked(path: &Path, content: &impl Serialize) -> Result<File> {
    let new = path.with_extension(UNFINISHED);
    let written = write_new(&new, content).and_then(|file| {
        fs::rename(&new, path)?;
        Ok(file)
    });
    if written.is_err() {
        // An empty file takes room, too.
        let _it_may_not_be_there = fs::remove_file(&new);
    }
    written.with_context(|| new.display().to_string())
}

fn write_new(new: &Path, content: &impl Serialize) -> Result<File> {
    let text = serde_json::to_vec(&Versioned { version: VERSION, content })?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow());
    let mut file = options.open(new)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    file.write_all(&text)?;
    Ok(file)
}

fn nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

fn read<T: DeserializeOwned>(file: &File) -> Result<T> {
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAXIMUM).read_to_end(&mut text)?;
    let Versioned { version, content } = serde_json::from_slice(&text)?;
    ensure!(version == VERSION, "written by another version ({version})");
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }

    fn note(text: &str) -> Note {
        Note { text: text.into() }
    }

    fn create(directory: &Path, content: &str) -> LockedFile {
        LockedFile::create(directory.join("a.kind"), &note(content)).unwrap()
    }

    fn adopt(directory: &Path) -> Option<Note> {
        LockedFile::adopt(directory.join("a.kind")).map(|(_, content)| content.unwrap())
    }

    #[test]
    fn only_the_user_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = create(directory.path(), "x");
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_held_file_can_be_looked_at_but_not_adopted() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = create(directory.path(), "one");
        assert!(adopt(directory.path()).is_none());
        file.replace(&note("two")).unwrap();
        assert!(adopt(directory.path()).is_none());
        assert_eq!(look::<Note>(&file.path).unwrap(), note("two"));
        drop(file);
        assert_eq!(adopt(directory.path()), Some(note("two")));
    }

    #[test]
    fn a_file_that_could_not_be_written_leaves_nothing_and_the_one_before_stays() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = create(directory.path(), "one");
        // Which is not followed.
        let new = directory.path().join("a.new");
        std::os::unix::fs::symlink("/dev/full", &new).unwrap();
        assert!(file.replace(&note("two")).is_err());
        assert!(fs::symlink_metadata(&new).is_err());
        assert_eq!(look::<Note>(&file.path).unwrap(), note("one"));
        assert!(adopt(directory.path()).is_none(), "still held");
    }

    #[test]
    fn what_somebody_has_deleted_is_gone_and_need_not_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        let file = create(directory.path(), "one");
        assert!(!file.is_gone());
        fs::remove_file(&file.path).unwrap();
        assert!(file.is_gone());
        file.remove().unwrap();
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_once_it_is_old() {
        let directory = tempfile::tempdir().unwrap();
        let _file = create(directory.path(), "one");
        let new = directory.path().join("b.new");
        fs::write(&new, "").unwrap();
        remove_unfinished(directory.path()).unwrap();
        assert!(new.exists(), "somebody may be at it");
        let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        File::options().write(true).open(&new).unwrap().set_times(long_ago).unwrap();
        remove_unfinished(directory.path()).unwrap();
        assert!(!new.exists());
        assert_eq!(paths(directory.path(), "kind").unwrap().len(), 1);
    }

    #[test]
    fn a_file_of_another_version_is_not_understood() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.kind");
        fs::write(&path, r#"{"version":2,"text":"x"}"#).unwrap();
        let error = look::<Note>(&path).unwrap_err();
        assert!(error.to_string().contains("another version (2)"), "{error}");
    }

    #[test]
    fn files_of_another_kind_are_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let _file = create(directory.path(), "x");
        assert_eq!(paths(directory.path(), "kind").unwrap().len(), 1);
        assert_eq!(paths(directory.path(), "other").unwrap().len(), 0);
    }
}
