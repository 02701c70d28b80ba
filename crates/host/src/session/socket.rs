//! Where a session's keeper is found by later logins of the same user: a socket beside the state file.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use system::linux::peer;

use super::Link;

const EXTENSION: &str = "socket";

/// The keeper's end, which is removed with it.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    listener: UnixListener,
}

impl Socket {
    /// Mode 0600, in a directory that only this user can enter.
    pub(crate) fn listen(directory: &Path, id: &str) -> Result<Self> {
        let path = path(directory, id);
        let listener = UnixListener::bind(&path).with_context(|| path.display().to_string())?;
        let socket = Self { path, listener };
        fs::set_permissions(&socket.path, Permissions::from_mode(0o600))?;
        socket.listener.set_nonblocking(true)?;
        Ok(socket)
    }

    /// A login that wants to be told. `None`: there is none, or not this user's.
    pub(crate) fn accept(&self) -> Option<Link> {
        let (stream, _) = self.listener.accept().ok()?;
        let link = of_this_user(&stream).and_then(|()| Link::new(stream));
        link.inspect_err(|error| tracing::debug!(%error, "not let in")).ok()
    }

    /// The link to the keeper of a session, if it lives.
    pub(crate) fn connect(directory: &Path, id: &str) -> Result<Link> {
        let path = path(directory, id);
        let stream = UnixStream::connect(&path).map_err(anyhow::Error::from);
        let link = stream.and_then(|stream| {
            of_this_user(&stream)?;
            Link::new(stream)
        });
        link.with_context(|| path.display().to_string())
    }

    /// Deletes what keepers that were killed left behind.
    pub(crate) fn remove_abandoned(directory: &Path) -> Result<()> {
        abandoned(directory)?
            .into_iter()
            .try_for_each(|path| fs::remove_file(&path).with_context(|| path.display().to_string()))
    }

    pub(crate) fn is_any_abandoned(directory: &Path) -> bool {
        abandoned(directory).is_ok_and(|abandoned| !abandoned.is_empty())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _somebody_may_have_deleted_it = fs::remove_file(&self.path);
    }
}

fn path(directory: &Path, id: &str) -> PathBuf {
    directory.join(id).with_extension(EXTENSION)
}

fn of_this_user(stream: &UnixStream) -> Result<()> {
    let user = peer::user(stream)?;
    ensure!(user == rustix::process::getuid().as_raw(), "the other end is user {user}");
    Ok(())
}

/// Nobody listens there any more.
fn abandoned(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths = entries.flatten().map(|entry| entry.path());
    let sockets = paths.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    Ok(sockets.filter(|path| is_abandoned(path)).collect())
}

fn is_abandoned(path: &Path) -> bool {
    let refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
    UnixStream::connect(path).is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{FromKeeper, ToKeeper};

    #[test]
    fn a_login_and_the_keeper_hear_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let socket = Socket::listen(directory.path(), "aaaaaaaa").unwrap();
        assert!(socket.accept().is_none());
        let mut login = Socket::connect(directory.path(), "aaaaaaaa").unwrap();
        let mut keeper = socket.accept().unwrap();
        login.send(&ToKeeper::Delivered).unwrap();
        assert!(matches!(keeper.receive().unwrap(), Some(ToKeeper::Delivered)));
        keeper.send(&FromKeeper::Superseded).unwrap();
        assert!(matches!(login.receive().unwrap(), Some(FromKeeper::Superseded)));
    }

    #[test]
    fn only_the_user_can_open_it_and_it_goes_with_the_keeper() {
        let directory = tempfile::tempdir().unwrap();
        let socket = Socket::listen(directory.path(), "aaaaaaaa").unwrap();
        let mode = fs::metadata(&socket.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(socket);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_in_its_place_stays_and_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let in_its_way = path(directory.path(), "aaaaaaaa");
        fs::write(&in_its_way, "x").unwrap();
        for error in [
            Socket::listen(directory.path(), "aaaaaaaa").unwrap_err(),
            Socket::connect(directory.path(), "aaaaaaaa").unwrap_err(),
        ] {
            assert!(error.to_string().ends_with("/aaaaaaaa.socket"), "{error:#}");
        }
        assert_eq!(fs::read_to_string(&in_its_way).unwrap(), "x");
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("x".repeat(90));
        fs::create_dir(&deep).unwrap();
        assert!(Socket::listen(&deep, "aaaaaaaa").is_err());
    }

    #[test]
    fn one_that_was_left_behind_is_removed_and_one_that_is_used_stays() {
        let directory = tempfile::tempdir().unwrap();
        let _used = Socket::listen(directory.path(), "aaaaaaaa").unwrap();
        drop(UnixListener::bind(path(directory.path(), "cccccccc")).unwrap());
        assert!(Socket::is_any_abandoned(directory.path()));
        Socket::remove_abandoned(directory.path()).unwrap();
        assert!(!Socket::is_any_abandoned(directory.path()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
