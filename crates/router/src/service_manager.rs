//! Tells systemd, or whoever started this service and asks for it, how it is (sd_notify(3)).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// It serves from now on.
pub(crate) fn ready(status: &str) {
    notify(&format!("READY=1\nSTATUS={status}\n"));
}

pub(crate) fn status(status: &str) {
    notify(&format!("STATUS={status}\n"));
}

pub(crate) fn stopping() {
    notify("STOPPING=1\n");
}

/// Nothing to do where nobody asks, or nobody listens any more.
fn notify(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}

fn send(socket: &OsString, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(receiver: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = receiver.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_socket_is_named_by_its_path_or_abstractly() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        send(&path.into(), "READY=1\n").unwrap();
        assert_eq!(heard(&receiver), "READY=1\n");

        let name = format!("moshpunch-test-{}", std::process::id());
        let receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(&format!("@{name}").into(), "STOPPING=1\n").unwrap();
        assert_eq!(heard(&receiver), "STOPPING=1\n");
    }
}
