//! mosh-server's socket, for the process that has started it, or why it is not to be had.

use std::fs;
use std::io::{self, ErrorKind};
use std::num::NonZeroU16;

use net::clock;
use serde::{Deserialize, Serialize};
use system::linux::BorrowedSocket;

use crate::mosh_server::ProcessIdentity;

/// Yama's rules for ptrace(2), which pidfd_getfd(2) follows.
const SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// From this one on no process may borrow from those that it has started.
const ADMINISTRATORS_ALONE: u8 = 2;

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Obstacle {
    /// Yama's `ptrace_scope` is this.
    Scope(u8),
    /// mosh-server may not be looked at, or a filter of system calls is around it.
    Forbidden,
    /// The kernel knows no such call, or a filter says so.
    NoSuchCall,
    Other(String),
}

/// The socket that mosh-server has on `port`.
pub(crate) fn borrow(process: ProcessIdentity, port: NonZeroU16) -> Result<BorrowedSocket, Obstacle> {
    let begun = clock::now();
    let pid = process.pid().ok_or_else(|| Obstacle::Other("mosh-server has ended".to_owned()))?;
    let borrowed = BorrowedSocket::of(pid, port).map_err(|error| obstacle(&error, scope()));
    tracing::debug!(?borrowed, took = ?clock::now() - begun);
    borrowed
}

fn scope() -> Option<u8> {
    fs::read_to_string(SCOPE).ok()?.trim().parse().ok()
}

fn obstacle(error: &io::Error, scope: Option<u8>) -> Obstacle {
    match (error.kind(), scope) {
        (ErrorKind::PermissionDenied, Some(scope)) if scope >= ADMINISTRATORS_ALONE => Obstacle::Scope(scope),
        (ErrorKind::PermissionDenied, _) => Obstacle::Forbidden,
        (ErrorKind::Unsupported, _) => Obstacle::NoSuchCall,
        (ErrorKind::NotFound, _) => Obstacle::Other("mosh-server has no socket there".to_owned()),
        _ => Obstacle::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn the_obstacle_is_told_from_others() {
        for (error, scope, expected) in [
            (Errno::PERM, None, Obstacle::Forbidden),
            (Errno::PERM, Some(1), Obstacle::Forbidden),
            (Errno::PERM, Some(2), Obstacle::Scope(2)),
            (Errno::ACCESS, Some(3), Obstacle::Scope(3)),
            (Errno::NOSYS, Some(2), Obstacle::NoSuchCall),
            (Errno::NOENT, None, Obstacle::Other("mosh-server has no socket there".to_owned())),
            (Errno::MFILE, None, Obstacle::Other("Too many open files (os error 24)".to_owned())),
        ] {
            assert_eq!(obstacle(&error.into(), scope), expected, "{error:?}");
        }
    }
}
