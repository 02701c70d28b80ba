//! When mosh-server's socket was used last, in either direction: mosh-server answers nobody whom it has not heard within 40 s.
//!
//! The kernel notes it at the keeper's own epoll(7) instance, edge by edge, and wakes nobody for it. The keeper looks twice in
//! a minute, while there is any traffic, and not at all in a silence.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, epoll};
use system::linux::BorrowedSocket;

/// How late a time may be told.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

pub(super) struct Traffic {
    noted: OwnedFd,
    last: Option<Instant>,
    /// Until then there is no need to know more.
    looks_again: Instant,
}

impl Traffic {
    pub(super) fn of(socket: &BorrowedSocket, now: Instant) -> io::Result<Self> {
        let noted = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // That it can be written to is always so; with it, all else is told.
        let edges = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&noted, socket, epoll::EventData::new_u64(0), edges)?;
        let mut traffic = Self { noted, last: None, looks_again: now };
        traffic.has_been()?;
        Ok(traffic)
    }

    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }

    pub(super) fn descriptor(&self, now: Instant) -> Option<PollFd<'_>> {
        (now >= self.looks_again).then(|| PollFd::new(&self.noted, PollFlags::IN))
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        Some(self.looks_again).filter(|looks_again| *looks_again > now)
    }

    /// Takes down what there was; nothing more is known of when than that it is over now.
    pub(super) fn look(&mut self, now: Instant) {
        if self.has_been().unwrap_or_default() {
            (self.last, self.looks_again) = (Some(now), now + LOOK_AGAIN);
        }
    }

    fn has_been(&mut self) -> io::Result<bool> {
        let mut events =
            [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }];
        let no_time = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
        Ok(epoll::wait(&self.noted, &mut events[..], Some(&no_time))? > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::num::NonZeroU16;

    use net::clock;
    use net::wait::wait_for;
    use rustix::process::getpid;

    use super::*;

    #[test]
    fn what_the_owner_has_read_or_sent_is_noted_and_nobody_is_woken_before_it_is_time() {
        let now = clock::now();
        let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = NonZeroU16::new(owner.local_addr().unwrap().port()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.connect(owner.local_addr().unwrap()).unwrap();
        let borrowed = BorrowedSocket::of(getpid(), port).unwrap();
        let mut traffic = Traffic::of(&borrowed, now).unwrap();
        traffic.look(now);
        assert_eq!((traffic.last(), traffic.poll_timeout(now)), (None, None));

        peer.send(b"heartbeat").unwrap();
        wait_for(&mut [traffic.descriptor(now).unwrap()], None).unwrap();
        owner.recv(&mut [0; 64]).unwrap();
        traffic.look(now);
        assert_eq!(traffic.last(), Some(now));
        assert!(traffic.descriptor(now).is_none());
        assert_eq!(traffic.poll_timeout(now), Some(now + LOOK_AGAIN));

        let later = |looks: u32| now + LOOK_AGAIN * looks;
        peer.send(b"heartbeat").unwrap();
        owner.recv(&mut [0; 64]).unwrap();
        traffic.look(later(1));
        assert_eq!(traffic.last(), Some(later(1)), "noted, though it was read before");
        traffic.look(later(2));
        assert_eq!(traffic.last(), Some(later(1)), "of a silence there is nothing to note");
        owner.send_to(b"answer", peer.local_addr().unwrap()).unwrap();
        traffic.look(later(3));
        assert_eq!(traffic.last(), Some(later(3)));
    }
}
