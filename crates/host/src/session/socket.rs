//! Where a session's keeper is found by later logins of the same user: a socket with a name that is in no directory
//! (unix(7), *abstract*), so that none can be deleted, full, or too deep. It goes with the keeper, and is seen where
//! mosh-server's port is: in this network namespace.
//!
//! Anybody may connect to such a name, or take one that is free. Each end asks who the other one is.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context, Result, ensure};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use system::linux::peer;

use super::Link;

/// Each is taken at once, unless the keeper is stopped.
const WAITING_LOGINS_MAXIMUM: i32 = 64;

/// In one turn of those of others.
const REFUSED_MAXIMUM: usize = 32;

/// The keeper's end.
#[derive(Debug)]
pub(crate) struct Socket(UnixListener);

impl Socket {
    pub(crate) fn listen(id: &str) -> Result<Self> {
        let listening = || {
            let socket = socket()?;
            bind(&socket, &address(id)?)?;
            listen(&socket, WAITING_LOGINS_MAXIMUM)?;
            anyhow::Ok(socket)
        };
        listening().map(|socket| Self(socket.into())).with_context(|| told_name(id))
    }

    /// A login that wants to be told. `None`: there is none of this user's.
    pub(crate) fn accept(&self) -> Option<Link> {
        (0..REFUSED_MAXIMUM).map_while(|_| self.0.accept().ok()).find_map(|(stream, _)| {
            let link = of_this_user(&stream).and_then(|()| Link::new(stream));
            link.inspect_err(|error| tracing::debug!(%error, "not let in")).ok()
        })
    }

    /// The link to the keeper of a session, if it lives. Nobody is waited for.
    pub(crate) fn connect(id: &str) -> Result<Link> {
        let connected = || {
            let socket = socket()?;
            connect(&socket, &address(id)?)?;
            let stream = UnixStream::from(socket);
            of_this_user(&stream)?;
            Link::new(stream)
        };
        connected().with_context(|| told_name(id))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn socket() -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

fn address(id: &str) -> Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_abstract_name(name(id).as_bytes())?)
}

fn name(id: &str) -> String {
    format!("moshpunch-{}-{id}", rustix::process::getuid().as_raw())
}

/// As ss(8) and `/proc/net/unix` write it.
fn told_name(id: &str) -> String {
    format!("@{}", name(id))
}

fn of_this_user(stream: &UnixStream) -> Result<()> {
    let user = peer::user(stream)?;
    ensure!(user == rustix::process::getuid().as_raw(), "the other end is user {user}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use net::wait::wait_for;
    use rustix::event::{PollFd, PollFlags};

    use super::*;
    use crate::session::{FromKeeper, Name, ToKeeper};

    /// Of no other test, whatever runs on this machine.
    fn id() -> String {
        Name::new().unwrap().id
    }

    #[test]
    fn a_login_and_the_keeper_hear_each_other() {
        let id = id();
        let socket = Socket::listen(&id).unwrap();
        assert!(socket.accept().is_none());
        let mut login = Socket::connect(&id).unwrap();
        let mut keeper = socket.accept().unwrap();
        login.send(&ToKeeper::Delivered).unwrap();
        assert!(matches!(keeper.receive().unwrap(), Some(ToKeeper::Delivered)));
        keeper.send(&FromKeeper::Superseded).unwrap();
        assert!(matches!(login.receive().unwrap(), Some(FromKeeper::Superseded)));
    }

    #[test]
    fn it_goes_with_the_keeper_and_is_named() {
        let id = id();
        drop(Socket::listen(&id).unwrap());
        let error = Socket::connect(&id).unwrap_err();
        assert!(
            format!("{error:#}").ends_with(&format!("-{id}: Connection refused (os error 111)")),
            "{error:#}"
        );
    }

    #[test]
    fn a_name_that_is_taken_is_an_error() {
        let id = id();
        let _taken = Socket::listen(&id).unwrap();
        let error = Socket::listen(&id).unwrap_err();
        assert!(error.to_string().starts_with("@moshpunch-"), "{error:#}");
    }

    #[test]
    fn a_keeper_that_takes_nobody_is_not_waited_for() {
        let id = id();
        let socket = Socket::listen(&id).unwrap();
        let waiting: Vec<_> = std::iter::from_fn(|| Socket::connect(&id).ok()).collect();
        assert!(waiting.len() >= usize::try_from(WAITING_LOGINS_MAXIMUM).unwrap());
        wait_for(&mut [PollFd::new(&socket, PollFlags::IN)], None).unwrap();
        assert_eq!(std::iter::from_fn(|| socket.accept()).count(), waiting.len());
    }
}
