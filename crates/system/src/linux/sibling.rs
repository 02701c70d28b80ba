//! A second socket on a borrowed one's port, which hears one peer and nobody else.
//!
//! The kernel lets two sockets of one user have a port if both say `SO_REUSEPORT`, for as long as it takes to bind the second
//! one; never `SO_REUSEADDR`, by which any other user may come in between. From then until it is connected it must not get what
//! is the owner's. In one group of such sockets the kernel deals datagrams out among them by their senders, so the two must not
//! become one group, and of two that match alike the owner must come first. Both hold where the second is an IPv6 socket that
//! is bound otherwise than the owner's, and yet to the same: to IPv4 by a mapped address (RFC 4291, §2.5.5.2), to IPv6 with the
//! other `IPV6_V6ONLY`. What comes by IPv4 matches an IPv4 socket better than one of IPv6; among those of IPv6 the kernel puts
//! the one with `SO_REUSEPORT` last (`udp_lib_get_port`, `compute_score`).

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

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use rustix::process::getpid;

    use super::*;

    const WINDOWS: usize = 1_000;

    /// In a group of sockets that the kernel takes for one, half of these would go astray.
    const SENDERS: usize = 16;

    fn borrowed(owner: &UdpSocket) -> BorrowedSocket {
        let port = owner.local_addr().unwrap().port().try_into().unwrap();
        BorrowedSocket::of(getpid(), port).unwrap()
    }

    fn at(address: &str, port: u16) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), port)
    }

    /// It is asked, and answers.
    fn is_answered(sibling: &Sibling, server: &UdpSocket, from: u16) {
        sibling.send(b"question").unwrap();
        let mut buffer = [0; 64];
        let (length, asked_by) = server.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], asked_by.port()), (&b"question"[..], from));
        server.send_to(b"answer", asked_by).unwrap();
        let length = loop {
            match sibling.receive(&mut buffer) {
                Ok(length) => break length,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        };
        assert_eq!(&buffer[..length], b"answer", "and has heard nothing before");
    }

    /// What is sent to the owner from all sides while siblings come and go, and what it hears of that.
    fn sent_and_heard(owner: &str, server: &str, senders: &str) -> (usize, usize) {
        let owner = UdpSocket::bind(at(owner, 0)).unwrap();
        let server = UdpSocket::bind(at(server, 0)).unwrap();
        let (borrowed, port) = (borrowed(&owner), owner.local_addr().unwrap().port());
        let done = AtomicBool::new(false);
        owner.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        thread::scope(|scope| {
            let sent = scope.spawn(|| {
                let bound = (0..SENDERS).map(|_| UdpSocket::bind(at(senders, 0)).unwrap());
                let all: Vec<_> = bound.collect();
                let mut sent = 0;
                while !done.load(Ordering::Relaxed) {
                    // One after the other: what is not heard is lost on the way, and not for want of room.
                    let sender = &all[sent % SENDERS];
                    sender.send_to(b"datagram", at(senders, port)).unwrap();
                    sent += 1;
                    let mut buffer = [0; 64];
                    if owner.recv_from(&mut buffer).is_err() {
                        return (sent, sent - 1);
                    }
                }
                (sent, sent)
            });
            for _ in 0..WINDOWS {
                let sibling = Sibling::of(&borrowed, server.local_addr().unwrap()).unwrap();
                is_answered(&sibling, &server, port);
            }
            done.store(true, Ordering::Relaxed);
            sent.join().unwrap()
        })
    }

    #[test]
    fn no_datagram_of_the_owners_is_lost_in_a_thousand_windows() {
        for (owner, server, senders) in [
            ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
            ("::", "127.0.0.1", "127.0.0.1"),
            ("::", "127.0.0.1", "::1"),
            ("::", "::1", "::1"),
            ("::", "::1", "127.0.0.1"),
            ("::1", "::1", "::1"),
        ] {
            let (sent, heard) = sent_and_heard(owner, server, senders);
            assert_eq!(heard, sent, "{owner}, asking {server}");
            assert!(sent >= WINDOWS, "{sent} for {WINDOWS} windows");
        }
    }

    #[test]
    fn it_hears_its_peer_alone_and_the_owner_all_others() {
        let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
        let [server, other] = ["127.0.0.1:0"; 2].map(|address| UdpSocket::bind(address).unwrap());
        let sibling = Sibling::of(&borrowed(&owner), server.local_addr().unwrap()).unwrap();
        other.send_to(b"datagram", owner.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 64];
        let (length, from) = owner.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (&b"datagram"[..], other.local_addr().unwrap()));
        is_answered(&sibling, &server, owner.local_addr().unwrap().port());
    }

    #[test]
    fn nobody_can_bind_the_port_afterwards_and_the_options_are_as_before() {
        let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sibling = Sibling::of(&borrowed(&owner), at("127.0.0.1", 9)).unwrap();
        for socket in [owner.as_fd(), sibling.as_fd()] {
            assert!(!sockopt::socket_reuseport(socket).unwrap());
            assert!(!sockopt::socket_reuseaddr(socket).unwrap());
        }
        let third = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
        sockopt::set_socket_reuseport(&third, true).unwrap();
        let own = owner.local_addr().unwrap();
        assert_eq!(bind(&third, &own), Err(rustix::io::Errno::ADDRINUSE));
    }

    #[test]
    fn there_is_none_for_a_peer_of_another_family() {
        for (owner, peer) in [("127.0.0.1:0", "::1"), ("[::1]:0", "127.0.0.1")] {
            let owner = UdpSocket::bind(owner).unwrap();
            let error = Sibling::of(&borrowed(&owner), at(peer, 9)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(!sockopt::socket_reuseport(&owner).unwrap());
        }
    }
}
