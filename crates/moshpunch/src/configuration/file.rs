//! The two files: the user's, then the machine's. Whatever is wrong with one, nothing waits for it.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use report::Told;
use rustix::fs::{Mode, OFlags};
use rustix::process::getuid;
use system::directories;

use super::private_group;
use super::said::Layer;
use super::setting::Settings;

const BELOW_THE_BASE: &str = "moshpunch/config.toml";
const OF_THE_MACHINE: &str = "/etc/moshpunch/config.toml";

/// Some thousand hosts' worth: no hand writes more.
const LONGEST: u64 = 256 << 10;

/// As ssh(1) judges its own: what others may write, others may have written.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// As Debian's ssh(1) judges it: none but the user is in a group of his own.
const WRITABLE_BY_THE_GROUP: u32 = 0o020;

/// As far as they are about `host`.
pub(super) fn layers<C: Settings>(host: &str) -> Layer {
    let of_the_user = directories::configuration().map(|base| base.join(BELOW_THE_BASE));
    let mut layer = Layer::default();
    for path in of_the_user.into_iter().chain([PathBuf::from(OF_THE_MACHINE)]) {
        match absolute(&path).and_then(read) {
            Ok(Some(bytes)) => layer.extend(Layer::of_a_file::<C>(&bytes, &path, host)),
            Ok(None) => {}
            Err(trouble) => layer.left_out.push(trouble),
        }
    }
    layer
}

/// Below a relative home it would be another file in each directory, and somebody else's.
fn absolute(path: &Path) -> Result<&Path, Told> {
    let left_out = || left_out(path, "is no absolute path", "set HOME to one");
    path.is_absolute().then_some(path).ok_or_else(left_out)
}

fn left_out(path: &Path, why: &str, cure: &str) -> Told {
    Told { what: format!("{} {why}, and is left out", path.display()), cure: Some(cure.to_owned()) }
}

/// None: there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Told> {
    let unread =
        |error: io::Error| left_out(path, &format!("cannot be read ({error})"), "see `ls -lL` of it");
    let file = match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        result => result.map_err(unread)?,
    };
    let metadata = file.metadata().map_err(unread)?;
    if let Some((why, cure)) = refused(&metadata, private_group::is_of) {
        return Err(left_out(path, why, &cure.replace("FILE", &path.display().to_string())));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > LONGEST {
        return Err(left_out(path, &format!("is longer than {} KiB", LONGEST >> 10), "shorten it"));
    }
    Ok(Some(bytes))
}

/// A pipe that nobody writes to is no reason to wait.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// `is_private` of a user and a group.
fn refused(
    metadata: &Metadata,
    is_private: impl Fn(u32, u32) -> bool,
) -> Option<(&'static str, &'static str)> {
    let owners = [0, getuid().as_raw()];
    let is_private = || owners.iter().any(|&owner| is_private(owner, metadata.gid()));
    let is_writable_by_a_group = metadata.mode() & WRITABLE_BY_THE_GROUP != 0 && !is_private();
    if !metadata.is_file() {
        Some(("is no file", "put one in its place, or remove it"))
    } else if !owners.contains(&metadata.uid()) {
        Some(("belongs to somebody else", "make it yours, or root's"))
    } else if metadata.mode() & WRITABLE_BY_OTHERS != 0 || is_writable_by_a_group {
        Some(("can be written by others", "`chmod go-w FILE`"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use tempfile::TempDir;

    use super::*;

    /// A file with this text and mode.
    fn file(text: &[u8], mode: u32) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    fn refusal(path: &Path) -> String {
        let what = read(path).unwrap_err().what;
        what.strip_prefix(&format!("{} ", path.display())).unwrap().to_owned()
    }

    #[test]
    fn a_file_is_read_and_none_is_no_trouble() {
        let (directory, path) = file(b"x", 0o644);
        assert_eq!(read(&path), Ok(Some(b"x".to_vec())));
        assert_eq!(read(&directory.path().join("none")), Ok(None));
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link), Ok(Some(b"x".to_vec())));
    }

    #[test]
    fn what_others_may_have_written_is_left_out() {
        for mode in [0o666, 0o646, 0o622, 0o602] {
            let (_directory, path) = file(b"x", mode);
            assert_eq!(refusal(&path), "can be written by others, and is left out", "{mode:o}");
            assert_eq!(read(&path).unwrap_err().cure, Some(format!("`chmod go-w {}`", path.display())));
        }
    }

    #[test]
    fn what_a_group_may_write_counts_if_it_is_private() {
        let (_directory, path) = file(b"x", 0o664);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(refused(&metadata, |_, _| true), None);
        let refusal = refused(&metadata, |_, _| false).unwrap();
        assert_eq!(refusal, ("can be written by others", "`chmod go-w FILE`"));
    }

    #[test]
    fn a_path_that_depends_on_the_directory_is_left_out() {
        let told = absolute(Path::new("rel/.config/moshpunch/config.toml")).unwrap_err();
        let expected =
            "rel/.config/moshpunch/config.toml is no absolute path, and is left out; set HOME to one";
        assert_eq!(told.in_one_line(), expected);
        assert_eq!(absolute(Path::new("/a")), Ok(Path::new("/a")));
    }

    #[test]
    fn what_is_no_file_is_left_out_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(refusal(directory.path()), "is no file, and is left out");
        assert_eq!(refusal(Path::new("/dev/zero")), "is no file, and is left out");
        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert_eq!(refusal(&pipe), "is no file, and is left out");
        let link = directory.path().join("loop");
        symlink(&link, &link).unwrap();
        assert!(refusal(&link).starts_with("cannot be read (Too many levels of symbolic links"));
        let below = file(b"x", 0o600).1.join("config.toml");
        assert!(
            read(&below).is_ok_and(|bytes| bytes.is_none()) || refusal(&below).starts_with("cannot be read")
        );
    }

    #[test]
    fn a_file_that_no_hand_wrote_is_left_out_unread() {
        let (_directory, path) = file(b"", 0o600);
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100 << 20).unwrap();
        assert_eq!(refusal(&path), "is longer than 256 KiB, and is left out");
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(LONGEST).unwrap();
        assert!(read(&path).unwrap().is_some());
    }
}
