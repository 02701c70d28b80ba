//! The gateway's thread: one poll loop over all sockets.

mod connection;
mod outbox;
mod remote;
mod sockets;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use net::{clock, wait};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::OwnedFd;

use self::connection::Connection;
pub(crate) use self::connection::{End, Plan};
use self::outbox::Outbox;
pub(crate) use self::outbox::Outgoing;
pub(crate) use self::remote::Remote;
use self::remote::{Command, Order};
pub(crate) use self::sockets::Sockets;
use crate::control_port;
use crate::gateway::Restart;
use crate::state::Shared;
use crate::upnp;

/// More than any of the protocols allows, so that too long a datagram is seen as such.
const DATAGRAM_BYTES: usize = 16 * 1024;

/// Beyond these, connections are closed at once.
const CONNECTIONS_MAXIMUM: usize = 256;

#[derive(Debug)]
pub(crate) struct Server {
    sockets: Sockets,
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    wake: Arc<OwnedFd>,
    connections: Vec<Connection>,
    outbox: Outbox,
}

impl Server {
    pub(crate) fn new(sockets: Sockets, shared: Arc<Shared>) -> io::Result<(Self, Remote)> {
        let (remote, orders, wake) = Remote::new()?;
        let server =
            Self { sockets, shared, orders, wake, connections: Vec::new(), outbox: Outbox::default() };
        Ok((server, remote))
    }

    /// Each turn: wait; do as told; hear datagrams; accept; move connections on; send what is due.
    pub(crate) fn run(mut self) {
        loop {
            let deadline = self.deadline();
            wait::wait(&mut self.descriptors(), deadline).expect("every descriptor is open");
            let now = clock::now();
            if !self.obey(now) {
                return;
            }
            self.hear(now);
            self.accept();
            self.move_connections(now);
            self.outbox.send_due(&self.sockets, now);
            self.shared.tell_change();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let connections = self.connections.iter().filter_map(Connection::deadline);
        connections.chain(self.outbox.deadline()).min()
    }

    fn descriptors(&self) -> Vec<PollFd<'_>> {
        let wake = PollFd::new(&self.wake, PollFlags::IN);
        let connections = self.connections.iter().map(Connection::descriptor);
        [wake].into_iter().chain(self.sockets.descriptors()).chain(connections).collect()
    }

    /// Whether to go on.
    fn obey(&mut self, now: Instant) -> bool {
        // Fails only when nobody woke the thread.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        while let Ok(Order { command, done }) = self.orders.try_recv() {
            let result = match command {
                Command::Stop => return false,
                Command::Restart(restart) => self.restart(restart, now),
                Command::Announce => self.announce(now),
            };
            // The test may have given up waiting.
            let _ = done.send(result);
        }
        true
    }

    fn restart(&mut self, restart: Restart, now: Instant) -> io::Result<()> {
        self.sockets.change_http_port()?;
        self.connections.clear();
        self.outbox = Outbox::default();
        let mut state = self.shared.lock();
        state.restart(self.sockets.http_port(), now);
        if restart == Restart::Forget {
            state.table.clear();
        }
        Ok(())
    }

    fn announce(&self, now: Instant) -> io::Result<()> {
        let state = self.shared.lock();
        if let Some(ssdp) = &self.sockets.ssdp {
            for notification in upnp::notifications(&state) {
                ssdp.send_to(&notification, upnp::SSDP_GROUP)?;
            }
        }
        if let Some(control) = &self.sockets.control {
            for announcement in control_port::announcements(&state, now) {
                control.send_to(&announcement, control_port::ANNOUNCEMENT_GROUP)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, now: Instant) {
        let mut state = self.shared.lock();
        for (socket, multicast) in [(&self.sockets.ssdp, false), (&self.sockets.ssdp_multicast, true)] {
            for (from, payload) in received(socket.as_ref()) {
                let answers = upnp::answer_search(&mut state, from, &payload, multicast, now);
                self.outbox.extend(answers, now);
            }
        }
        for (from, payload) in received(self.sockets.control.as_ref()) {
            let answers = control_port::answer(&mut state, from, &payload, now);
            self.outbox.extend(answers, now);
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.sockets.http else { return };
        while let Ok((stream, peer)) = listener.accept() {
            self.shared.lock().counters.connections += 1;
            if self.connections.len() < CONNECTIONS_MAXIMUM {
                self.connections.extend(Connection::new(stream, peer));
            }
        }
    }

    fn move_connections(&mut self, now: Instant) {
        self.connections.retain_mut(|connection| {
            let answer = |peer, request: &upnp::RawRequest| {
                upnp::answer_request(&mut self.shared.lock(), peer, request, now)
            };
            connection.progress(now, answer)
        });
    }
}

fn received(socket: Option<&UdpSocket>) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut buffer = [0; DATAGRAM_BYTES];
    let next = || {
        let (length, from) = socket?.recv_from(&mut buffer).ok()?;
        Some((from, buffer[..length].to_vec()))
    };
    std::iter::from_fn(next).collect()
}
