//! A file for other programs of this user.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::{env, process};

/// Somebody who can write there may have taken some names.
const TRIES: u32 = 64;

/// A text that programs of this user can read by a path, as long as this lives; what is killed leaves it behind.
#[derive(Debug)]
pub struct TextFile {
    path: PathBuf,
}

impl TextFile {
    /// # Errors
    ///
    /// The directory for such files cannot be written to.
    pub fn new(text: &str) -> io::Result<Self> {
        let (path, mut file) = created()?;
        let this = Self { path };
        file.write_all(text.as_bytes())?;
        Ok(this)
    }

    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}

fn created() -> io::Result<(PathBuf, File)> {
    for number in 0..TRIES {
        let path = env::temp_dir().join(format!("moshpunch-{}-{number}", process::id()));
        match File::options().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
