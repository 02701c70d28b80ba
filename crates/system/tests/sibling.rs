//! A process of its own: what other tests do with descriptors is not disturbed by sockets that come and go.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use system::linux::{BorrowedSocket, Sibling};

const WINDOWS: usize = 1_000;

/// In a group of sockets that the kernel takes for one, half of these would go astray.
const SENDERS: usize = 16;

fn borrowed(owner: &UdpSocket) -> BorrowedSocket {
    BorrowedSocket::received(owner.try_clone().unwrap().into()).unwrap()
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
    assert_eq!(&buffer[..length], b"answer", "and it has heard nothing before");
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
        ("0.0.0.0", "127.0.0.2", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.2", "127.0.0.1"),
        ("::", "127.0.0.2", "127.0.0.1"),
        ("::", "127.0.0.2", "::1"),
        ("::", "::1", "127.0.0.1"),
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
