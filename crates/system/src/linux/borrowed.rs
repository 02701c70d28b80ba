//! Another process's UDP socket, to send from its port: pidfd_getfd(2), since Linux 5.6.
//!
//! The kernel asks for what ptrace(2) asks for: the same user, and where Yama's `ptrace_scope` is 1, a process that descends from
//! the one that borrows. Options and flags of the socket are those of its owner, who must not notice anything: here none is
//! written, and nothing is read.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{SendFlags, SocketType, getsockname, sendto, sockopt};
use rustix::process::{ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// It stays open for as long as anybody has it: drop it when its owner has ended, or the port stays taken.
#[derive(Debug)]
pub struct BorrowedSocket {
    socket: OwnedFd,
    address: SocketAddr,
}

impl BorrowedSocket {
    /// The socket that `process` has bound to `port`.
    ///
    /// # Errors
    ///
    /// `NotFound`: it has none, or is gone. `PermissionDenied`: the rules for ptrace forbid it. `Unsupported`: the kernel is older.
    pub fn of(process: Pid, port: NonZeroU16) -> io::Result<Self> {
        let process_descriptor = pidfd_open(process, PidfdFlags::empty())?;
        for descriptor in socket_descriptors(process)? {
            let copy = match pidfd_getfd(&process_descriptor, descriptor, PidfdGetfdFlags::empty()) {
                Ok(copy) => copy,
                Err(rustix::io::Errno::BADF) => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(socket) = Self::received(copy).filter(|socket| socket.address.port() == port.get()) {
                return Ok(socket);
            }
        }
        Err(ErrorKind::NotFound.into())
    }

    /// What another process of ours has borrowed and handed on. `None`: it is no bound UDP socket.
    #[must_use]
    pub fn received(socket: OwnedFd) -> Option<Self> {
        let is_udp = sockopt::socket_type(&socket) == Ok(SocketType::DGRAM);
        let address = getsockname(&socket).ok().filter(|_| is_udp)?.try_into().ok()?;
        Some(Self { socket, address })
    }

    /// Where it is bound; an unspecified address is any.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends at once or not at all.
    ///
    /// # Errors
    ///
    /// The kernel does not take it, such as for another family than the socket's, or for a network's broadcast address, as long as
    /// the owner has not asked for `SO_BROADCAST`.
    pub fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = match (self.address, to.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(address)) => {
                SocketAddr::new(address.to_ipv6_mapped().into(), to.port())
            }
            _ => to,
        };
        sendto(&self.socket, datagram, SendFlags::DONTWAIT, &to)?;
        Ok(())
    }
}

impl AsFd for BorrowedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn socket_descriptors(process: Pid) -> io::Result<Vec<ForeignRawFd>> {
    let entries = fs::read_dir(format!("/proc/{process}/fd"))?.flatten();
    let is_socket = |target: &Path| target.to_string_lossy().starts_with("socket:");
    let sockets = entries.filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| is_socket(&target)));
    Ok(sockets.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::process::{Command, Stdio};

    use rustix::process::getpid;

    use super::*;

    fn port(socket: &UdpSocket) -> NonZeroU16 {
        socket.local_addr().unwrap().port().try_into().unwrap()
    }

    fn heard(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 64];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        (buffer[..length].to_vec(), from)
    }

    #[test]
    fn what_it_sends_comes_from_the_owners_port() {
        let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let borrowed = BorrowedSocket::of(getpid(), port(&owner)).unwrap();
        assert_eq!(borrowed.address(), owner.local_addr().unwrap());
        borrowed.send(b"opener", other.local_addr().unwrap()).unwrap();
        assert_eq!(heard(&other), (b"opener".to_vec(), owner.local_addr().unwrap()));
    }

    #[test]
    fn one_of_both_families_sends_to_ipv4_too() {
        let owner = UdpSocket::bind("[::]:0").unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let borrowed = BorrowedSocket::of(getpid(), port(&owner)).unwrap();
        borrowed.send(b"opener", other.local_addr().unwrap()).unwrap();
        assert_eq!(heard(&other).1.port(), port(&owner).get());
    }

    #[test]
    fn one_of_ipv4_alone_sends_nothing_to_ipv6() {
        let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
        let borrowed = BorrowedSocket::of(getpid(), port(&owner)).unwrap();
        assert!(borrowed.send(b"opener", "[::1]:9".parse().unwrap()).is_err());
    }

    #[test]
    fn the_owner_reads_what_comes_and_has_its_flags() {
        let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
        let flags = || rustix::fs::fcntl_getfl(&owner).unwrap();
        let before = flags();
        let borrowed = BorrowedSocket::of(getpid(), port(&owner)).unwrap();
        let own = owner.local_addr().unwrap();
        borrowed.send(b"opener", own).unwrap();
        assert_eq!(heard(&owner), (b"opener".to_vec(), own));
        assert_eq!(flags(), before);
    }

    #[test]
    fn a_port_that_the_process_does_not_have_is_not_found() {
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = BorrowedSocket::of(Pid::from_child(&other), port(&owner)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        drop(other.stdin.take());
        other.wait().unwrap();
    }

    #[test]
    fn what_is_no_udp_socket_is_not_taken() {
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(BorrowedSocket::received(stream.into()).is_none());
        assert!(BorrowedSocket::received(fs::File::open("/dev/null").unwrap().into()).is_none());
    }
}
