//! What nobody else is to read: the files that the user's configuration names.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;
use zeroize::Zeroizing;

/// A password takes a line.
const LONGEST: usize = 4_096;

const BY_OTHERS: u32 = 0o077;

/// Wiped when it goes, and shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The first line of a file that is the user's alone.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and what to do.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        // A pipe without a writer keeps nobody waiting.
        let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = file.map_err(|error| format!("{shown}: {error}; write the secret to that file"))?;
        is_private(&file).map_err(|wrong| format!("{shown} {wrong}"))?;
        let mut text = Zeroizing::new(String::with_capacity(LONGEST));
        let read = file.take(LONGEST as u64).read_to_string(&mut text);
        read.map_err(|error| format!("{shown}: {error}; write the secret there, as one line of text"))?;
        let line = text.lines().next().unwrap_or_default().trim();
        let is_there = !line.is_empty();
        is_there
            .then(|| Self::new(line.to_owned()))
            .ok_or_else(|| format!("{shown} has no secret in its first line; write it there"))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

fn is_private(file: &File) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| format!("cannot be looked at: {error}"))?;
    let own = geteuid().as_raw();
    if !metadata.is_file() {
        Err("is no file; write the secret to one".to_owned())
    } else if metadata.uid() != own {
        Err(format!("belongs to the user {}, who can change it; make it yours (chown {own})", metadata.uid()))
    } else if metadata.mode() & BY_OTHERS != 0 {
        Err("can be read or changed by others; make it yours alone (chmod 600), and change the secret"
            .to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn told(text: &[u8], mode: u32) -> Result<Secret, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        Secret::read(&path)
    }

    #[test]
    fn the_first_line_of_a_file_of_ones_own_is_the_secret() {
        for text in ["geheim", "geheim\n", "geheim\r\nmore\n", " geheim \n"] {
            assert_eq!(
                told(text.as_bytes(), 0o600).map(|secret| secret.expose().to_owned()),
                Ok("geheim".into())
            );
        }
        assert!(told(b"geheim", 0o400).is_ok());
    }

    #[test]
    fn what_others_can_read_or_change_is_refused_with_the_cure() {
        for mode in [0o640, 0o604, 0o644, 0o660, 0o602, 0o610] {
            let told = told(b"geheim", mode).unwrap_err();
            assert!(told.contains("chmod 600") && !told.contains("geheim"), "{told}");
        }
    }

    #[test]
    fn what_is_no_secret_is_told() {
        for text in [b"".as_slice(), b"\n", b"\ngeheim\n", b"\xff\xfe"] {
            let told = told(text, 0o600).unwrap_err();
            assert!(told.contains("write") && !told.contains("geheim"), "{told}");
        }
        let directory = tempfile::tempdir().unwrap();
        assert!(Secret::read(directory.path()).unwrap_err().contains("is no file"));
        assert!(Secret::read(&directory.path().join("none")).unwrap_err().contains("write the secret"));
    }

    #[test]
    fn it_is_shown_by_nothing() {
        assert_eq!(format!("{:?}", Secret::new("geheim".into())), "Secret");
    }
}
