//! Changes files so that it can be undone: what was there before lies in [`DIRECTORY`], with what we wrote. That is root's
//! alone, and what lies there has the mode and the owner that the file has.
//!
//! A file that is neither as we wrote it nor as it was before has been edited by somebody, and is not reverted silently.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::system::read_if_any;

pub(super) const DIRECTORY: &str = "/var/lib/moshpunch/router-setup";
const RECORD: &str = "record.json";

const DIRECTORY_MODE: u32 = 0o700;

/// Of a file that was not there before: everybody may read it, as with the others.
const NEW_FILE_MODE: u32 = 0o644;

/// While it is written.
const OWN_MODE: u32 = 0o600;

#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) before: Option<Vec<u8>>,
    pub(super) after: Vec<u8>,
}

impl Change {
    pub(super) fn is_one(&self) -> bool {
        self.before.as_ref() != Some(&self.after)
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    files: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    path: PathBuf,
    /// Whether there was a file before.
    existed: bool,
    /// Whether somebody has edited it between two setups, so that what was before is not all that would be lost.
    edited: bool,
}

impl Entry {
    fn beside(&self, suffix: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        Path::new(DIRECTORY).join(format!("{name}.{suffix}"))
    }

    fn original(&self) -> Result<Option<Vec<u8>>> {
        if !self.existed {
            return Ok(None);
        }
        let path = self.beside("original");
        fs::read(&path).map(Some).with_context(|| path.display().to_string())
    }

    /// Whether nobody but us has changed it.
    fn is_ours(&self) -> Result<bool> {
        let now = read_if_any(&self.path)?;
        let written = read_if_any(&self.beside("written"))?;
        Ok(!self.edited && now == written || now == self.original()?)
    }
}

/// Notes first, so that whatever is interrupted can be undone.
pub(super) fn apply(changes: &[Change]) -> Result<()> {
    make_directory().with_context(|| format!("{DIRECTORY} (is this run as root?)"))?;
    let mut record = load()?.unwrap_or_default();
    for change in changes {
        note(&mut record, change)?;
    }
    let text = serde_json::to_vec_pretty(&record)?;
    replace(&Path::new(DIRECTORY).join(RECORD), &text)?;
    changes.iter().try_for_each(|change| replace(&change.path, &change.after))
}

/// One that an older setup has made may be open to others.
fn make_directory() -> Result<()> {
    fs::create_dir_all(DIRECTORY)?;
    Ok(fs::set_permissions(DIRECTORY, Permissions::from_mode(DIRECTORY_MODE))?)
}

fn note(record: &mut Record, change: &Change) -> Result<()> {
    let known = record.files.iter_mut().find(|entry| entry.path == change.path);
    let entry = match known {
        Some(entry) => {
            entry.edited |= !entry.is_ours()?;
            entry
        }
        None => {
            let entry = Entry { path: change.path.clone(), existed: change.before.is_some(), edited: false };
            if let Some(before) = &change.before {
                replace_like(&change.path, &entry.beside("original"), before)?;
            }
            record.files.push(entry);
            record.files.last_mut().expect("it was pushed just now")
        }
    };
    replace_like(&change.path, &entry.beside("written"), &change.after)
}

/// Puts everything back, or nothing. Gives the paths.
pub(super) fn revert(discard_edits: bool) -> Result<Vec<PathBuf>> {
    let Some(record) = load()? else {
        bail!("there is nothing to revert: {DIRECTORY} has no record of a setup")
    };
    for entry in &record.files {
        ensure!(
            discard_edits || entry.is_ours()?,
            "{} was edited after the setup, and reverting would lose that; nothing is changed. \
             What was there before is {}; to put it back all the same: --revert --discard-edits",
            entry.path.display(),
            if entry.existed {
                entry.beside("original").display().to_string()
            } else {
                "no such file".into()
            }
        );
    }
    for entry in &record.files {
        match entry.original()? {
            Some(original) => restore(entry, &original)?,
            None => remove(&entry.path)?,
        }
    }
    fs::remove_dir_all(DIRECTORY).context(DIRECTORY)?;
    Ok(record.files.into_iter().map(|entry| entry.path).collect())
}

fn load() -> Result<Option<Record>> {
    let path = Path::new(DIRECTORY).join(RECORD);
    match read_if_any(&path)? {
        Some(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?)),
        None => Ok(None),
    }
}

fn remove(path: &Path) -> Result<()> {
    remove_if_any(path).with_context(|| path.display().to_string())?;
    // It may have been made for this file alone; one with others in it stays.
    let _in_use = path.parent().map(fs::remove_dir);
    Ok(())
}

/// With the mode and the owner that it has now, or had, if somebody has removed it.
fn restore(entry: &Entry, original: &[u8]) -> Result<()> {
    let model = if entry.path.exists() { entry.path.clone() } else { entry.beside("original") };
    replace_like(&model, &entry.path, original)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_like(path, path, bytes)
}

/// Whole, by a rename, with the mode and the owner of a model; a symbolic link stays one.
fn replace_like(model: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = target.file_name().context("a file has a name")?.to_string_lossy();
    let temporary = target.with_file_name(format!(".{name}.moshpunch"));
    write_like(model, &temporary, bytes)
        .and_then(|()| Ok(fs::rename(&temporary, &target)?))
        .with_context(|| format!("writing {}", path.display()))
}

fn write_like(model: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    path.parent().map(fs::create_dir_all).transpose()?;
    // Whoever opened it before it has its mode could read all that follows.
    remove_if_any(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWN_MODE).open(path)?;
    let mode = match fs::metadata(model) {
        Ok(metadata) => {
            fchown(&file, Some(metadata.uid()), Some(metadata.gid()))?;
            metadata.mode()
        }
        Err(_) => NEW_FILE_MODE,
    };
    file.set_permissions(Permissions::from_mode(mode & 0o7777))?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn remove_if_any(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
