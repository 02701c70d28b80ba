//! Who is at the other end of a socket of this machine: unix(7), `SO_PEERCRED`.

use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt};

/// The user as whom the other end was connected, or listens. Its process may be in a namespace that is not seen from here.
///
/// # Errors
///
/// The kernel does not tell.
pub fn user(stream: &UnixStream) -> io::Result<u32> {
    Ok(getsockopt(stream, sockopt::PeerCredentials)?.uid())
}
