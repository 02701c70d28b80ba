//! Performs the effects of a mapper, or of what else asks gateways, and hands it what came in.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::Instant;

use portmap::effects::{Exchange, ExchangeId, ExchangeInput, Reservation, Socket, StateMachine, Transmit};
use portmap::upnp::ssdp::MAXIMUM_DATAGRAM;
use rustix::event::{PollFd, PollFlags};

use crate::datagram;
use crate::link::Link;
use crate::stream::Stream;

/// One more than is accepted, so that a longer datagram is not taken for a whole one.
const DATAGRAM_BYTES: usize = MAXIMUM_DATAGRAM + 1;

/// A flood must not keep the loop from its timers.
const DATAGRAMS_PER_TURN: usize = 64;

/// Those of one mapper, or of what else asks gateways, all of one internal address.
#[derive(Debug)]
pub struct MapperSockets {
    datagrams: BTreeMap<Socket, UdpSocket>,
    streams: BTreeMap<ExchangeId, Stream>,
    reserved_by_port: BTreeMap<NonZeroU16, UdpSocket>,
    internal: IpAddr,
    /// Whose notifications are heard, or could not be.
    notifying_gateway: Option<IpAddr>,
    link: Link,
    /// The mapper knows the link's networks.
    link_is_told: bool,
}

impl MapperSockets {
    /// # Errors
    ///
    /// `internal` is not an address of this host. A link-local `gateway` is that of the link that it is on.
    pub fn open(internal: IpAddr, gateway: Option<IpAddr>) -> io::Result<Self> {
        let mut sockets = Self {
            datagrams: BTreeMap::new(),
            streams: BTreeMap::new(),
            reserved_by_port: BTreeMap::new(),
            internal,
            notifying_gateway: None,
            link: Link::default(),
            link_is_told: false,
        };
        sockets.reopen(internal, gateway)?;
        Ok(sockets)
    }

    /// As [`Self::open`], for a host that has moved; what is reserved stays so.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn reopen(&mut self, internal: IpAddr, gateway: Option<IpAddr>) -> io::Result<()> {
        let link = Link::of(internal, gateway)?;
        self.datagrams = BTreeMap::from([(Socket::Discovery, datagram::discovery(internal, &link)?)]);
        self.streams.clear();
        // Without these two UPnP still serves.
        let control = gateway.map(|gateway| datagram::control(internal, gateway, &link));
        let announcements = Some(datagram::announcements(internal, &link));
        (self.link, self.link_is_told) = (link, false);
        (self.internal, self.notifying_gateway) = (internal, None);
        for (kind, socket) in [(Socket::Control, control), (Socket::Announcements, announcements)] {
            match socket {
                Some(Ok(socket)) => drop(self.datagrams.insert(kind, socket)),
                Some(Err(error)) => tracing::debug!(?kind, %error, "no such socket"),
                None => {}
            }
        }
        Ok(())
    }

    /// Does everything that the machine asks for now, and what it asks for in consequence.
    pub fn perform(&mut self, machine: &mut impl StateMachine, now: Instant) {
        if !self.link_is_told {
            machine.handle_networks(self.link.networks().to_vec());
            self.link_is_told = true;
        }
        loop {
            if let Some(transmit) = machine.poll_transmit() {
                self.send(&transmit);
            } else if let Some(exchange) = machine.poll_exchange() {
                self.connect(exchange, machine, now);
            } else if let Some(id) = machine.poll_close() {
                self.streams.remove(&id);
            } else if let Some(reservation) = machine.poll_reservation() {
                self.reserve(reservation, machine, now);
            } else {
                break;
            }
        }
        self.hear_notifications_of(machine.notifying_gateway());
    }

    /// Without them, a restart is noticed at the next check.
    fn hear_notifications_of(&mut self, gateway: Option<IpAddr>) {
        if self.notifying_gateway == gateway {
            return;
        }
        self.notifying_gateway = gateway;
        self.datagrams.remove(&Socket::Notifications);
        let socket = gateway.map(|gateway| datagram::notifications(self.internal, gateway, &self.link));
        match socket {
            Some(Ok(socket)) => drop(self.datagrams.insert(Socket::Notifications, socket)),
            Some(Err(error)) => tracing::debug!(%error, "no notifications are heard"),
            None => {}
        }
    }

    pub fn descriptors(&self) -> Vec<PollFd<'_>> {
        let streams =
            self.streams.values().map(|stream| PollFd::from_borrowed_fd(stream.as_fd(), stream.interest()));
        let datagrams =
            self.datagrams.values().map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN));
        datagrams.chain(streams).collect()
    }

    /// Hands over everything that has arrived.
    pub fn receive(&mut self, machine: &mut impl StateMachine, now: Instant) {
        for (&kind, socket) in &self.datagrams {
            receive_datagrams(kind, socket, machine, now);
        }
        for (&id, stream) in &mut self.streams {
            stream.progress(|input| machine.handle_exchange(id, input, now));
        }
    }

    fn send(&self, transmit: &Transmit) {
        let Transmit { socket, destination, payload } = transmit;
        let sent = match (socket, self.datagrams.get(socket)) {
            (Socket::Control, Some(socket)) => socket.send(payload),
            (_, Some(socket)) => socket.send_to(payload, self.link.scoped(*destination)),
            (_, None) => return,
        };
        if let Err(error) = sent {
            tracing::debug!(%destination, %error, "not sent");
        }
    }

    fn connect(&mut self, exchange: Exchange, machine: &mut impl StateMachine, now: Instant) {
        let (id, destination) = (exchange.id, exchange.destination);
        tracing::debug!(?id, %destination, "connecting");
        match Stream::connect(exchange, &self.link) {
            Ok(stream) => drop(self.streams.insert(id, stream)),
            Err(error) => {
                tracing::debug!(%destination, %error, "not connected");
                machine.handle_exchange(id, ExchangeInput::Broken, now);
            }
        }
    }

    fn reserve(&mut self, reservation: Reservation, machine: &mut impl StateMachine, now: Instant) {
        match reservation {
            Reservation::Take(port) => {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port.get()));
                let taken = socket.is_ok();
                self.reserved_by_port.extend(socket.ok().map(|socket| (port, socket)));
                machine.handle_reservation(port, taken, now);
            }
            Reservation::Drop(port) => drop(self.reserved_by_port.remove(&port)),
        }
    }
}

fn receive_datagrams(kind: Socket, socket: &UdpSocket, machine: &mut impl StateMachine, now: Instant) {
    let mut buffer = [0; DATAGRAM_BYTES];
    for _ in 0..DATAGRAMS_PER_TURN {
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => machine.handle_datagram(kind, from, &buffer[..length], now),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                machine.handle_unreachable(kind, now);
            }
            Err(error) => return tracing::debug!(?kind, %error, "nothing received"),
        }
    }
}
