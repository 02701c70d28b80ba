//! A second socket on a borrowed one's port, which hears one peer and nobody else.
//!
//! The kernel lets two sockets of one user have a port if both say `SO_REUSEPORT`, for as long as it takes to bind the second
//! one; never `SO_REUSEADDR`, by which any other user may come in between. From then until it is connected it must not get what
//! is the owner's. In one group of such sockets the kernel deals datagrams out among them by their senders, so the two must not
//! become one group, and of two that match alike the owner must come first. Both hold where the second is an IPv6 socket that
//! is bound otherwise than the owner's, and yet to the same: to IPv4 by a mapped address (RFC 4291, §2.5.5.2), to IPv6 with the
//! other `IPV6_V6ONLY`. What comes by IPv4 matches an IPv4 socket better than one of IPv6; among those of IPv6 the kernel puts
//! the one with `SO_REUSEPORT` last (`udp_lib_get_port`, `compute_score`). What is left is the moment in which connect(2) has written the peer's address and not yet
//! its port: then a datagram of the peer's own address would be lost.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, recv, send, socket_with,
    sockopt,
};

use super::BorrowedSocket;

/// Any address of IPv4, as an IPv6 socket has it.
const UNSPECIFIED_V4: Ipv6Addr = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();

#[derive(Debug)]
pub struct Sibling(OwnedFd);

impl Sibling {
    /// For what is to be asked of `peer`.
    ///
    /// # Errors
    ///
    /// `Unsupported`: the kernel has no IPv6, or the borrowed socket is not of the peer's family. Or there is no way to the peer.
    pub fn of(owner: &BorrowedSocket, peer: SocketAddr) -> io::Result<Self> {
        let address = mapped(owner.address().ip());
        let is_by_v4 = peer.is_ipv4();
        let address = match (is_by_v4, address.to_ipv4_mapped()) {
            (true, Some(_)) | (false, None) => address,
            (true, None) if address.is_unspecified() => UNSPECIFIED_V4,
            _ => return Err(ErrorKind::Unsupported.into()),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let sibling = socket_with(AddressFamily::INET6, SocketType::DGRAM, flags, None)?;
        let is_v6_alone = !is_by_v4 && !sockopt::ipv6_v6only(owner)?;
        sockopt::set_ipv6_v6only(&sibling, is_v6_alone)?;
        bind_beside(&sibling, SocketAddr::new(address.into(), owner.address().port()), owner)?;
        connect(&sibling, &SocketAddr::new(mapped(peer.ip()).into(), peer.port()))?;
        Ok(Self(sibling))
    }

    /// To the peer, at once or not at all.
    ///
    /// # Errors
    ///
    /// The kernel does not take it, or has been told that nobody listens there.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        send(&self.0, datagram, SendFlags::DONTWAIT)?;
        Ok(())
    }

    /// The length of a datagram of the peer; what is longer than the buffer is cut.
    ///
    /// # Errors
    ///
    /// None has come, or the kernel has been told that nobody listens there.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (length, _) = recv(&self.0, buffer, RecvFlags::DONTWAIT)?;
        Ok(length)
    }
}

impl AsFd for Sibling {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// As an IPv6 socket has it.
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The owner's option is as it was afterwards, and nobody else can come by either.
fn bind_beside(sibling: &OwnedFd, address: SocketAddr, owner: &BorrowedSocket) -> io::Result<()> {
    let before = sockopt::socket_reuseport(owner)?;
    sockopt::set_socket_reuseport(sibling, true)?;
    sockopt::set_socket_reuseport(owner, true)?;
    let bound = bind(sibling, &address);
    sockopt::set_socket_reuseport(owner, before)?;
    sockopt::set_socket_reuseport(sibling, false)?;
    Ok(bound?)
}
