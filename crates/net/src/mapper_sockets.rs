//! Performs the effects of a mapper, and hands it what came in.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::Instant;

use portmap::control_port::{ANNOUNCEMENT_PORT, SERVER_PORT};
use portmap::effects::{Exchange, ExchangeId, ExchangeInput, Socket, Transmit};
use portmap::mapper::{Mapper, Reservation};
use portmap::upnp::ssdp::MAXIMUM_DATAGRAM;
use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, Protocol, Type};

use crate::stream::Stream;

/// One more than is accepted, so that a longer datagram is not taken for a whole one.
const DATAGRAM_BYTES: usize = MAXIMUM_DATAGRAM + 1;

/// A flood must not keep the loop from its timers.
const DATAGRAMS_PER_TURN: usize = 64;

/// RFC 6887 §14.1.3: all hosts on this link.
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

#[derive(Debug)]
pub struct MapperSockets {
    datagrams: BTreeMap<Socket, UdpSocket>,
    streams: BTreeMap<ExchangeId, Stream>,
    reserved_by_port: BTreeMap<NonZeroU16, UdpSocket>,
}

impl MapperSockets {
    /// # Errors
    ///
    /// `internal` is not an address of this host.
    pub fn open(internal: IpAddr, gateway: Option<IpAddr>) -> io::Result<Self> {
        let mut sockets =
            Self { datagrams: BTreeMap::new(), streams: BTreeMap::new(), reserved_by_port: BTreeMap::new() };
        sockets.reopen(internal, gateway)?;
        Ok(sockets)
    }

    /// As [`Self::open`], for a host that has moved; what is reserved stays so.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn reopen(&mut self, internal: IpAddr, gateway: Option<IpAddr>) -> io::Result<()> {
        self.datagrams = BTreeMap::from([(Socket::Discovery, discovery_socket(internal)?)]);
        self.streams.clear();
        // Without these two UPnP still serves.
        let control = gateway.map(|gateway| control_socket(internal, gateway));
        let announcements = match internal {
            IpAddr::V4(internal) => Some(announcements_socket(internal)),
            IpAddr::V6(_) => None,
        };
        for (kind, socket) in [(Socket::Control, control), (Socket::Announcements, announcements)] {
            match socket {
                Some(Ok(socket)) => drop(self.datagrams.insert(kind, socket)),
                Some(Err(error)) => tracing::debug!(?kind, %error, "no such socket"),
                None => {}
            }
        }
        Ok(())
    }

    /// Does everything that the mapper asks for now, and what it asks for in consequence.
    pub fn perform(&mut self, mapper: &mut Mapper, now: Instant) {
        loop {
            if let Some(transmit) = mapper.poll_transmit() {
                self.send(&transmit);
            } else if let Some(exchange) = mapper.poll_exchange() {
                self.connect(exchange, mapper, now);
            } else if let Some(id) = mapper.poll_close() {
                self.streams.remove(&id);
            } else if let Some(reservation) = mapper.poll_reservation() {
                self.reserve(reservation, mapper, now);
            } else {
                return;
            }
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
    pub fn receive(&mut self, mapper: &mut Mapper, now: Instant) {
        for (&kind, socket) in &self.datagrams {
            receive_datagrams(kind, socket, mapper, now);
        }
        for (&id, stream) in &mut self.streams {
            stream.progress(|input| mapper.handle_exchange(id, input, now));
        }
    }

    fn send(&self, transmit: &Transmit) {
        let Transmit { socket, destination, payload } = transmit;
        let sent = match (socket, self.datagrams.get(socket)) {
            (Socket::Control, Some(socket)) => socket.send(payload),
            (_, Some(socket)) => socket.send_to(payload, destination),
            (_, None) => return,
        };
        if let Err(error) = sent {
            tracing::debug!(%destination, %error, "not sent");
        }
    }

    fn connect(&mut self, exchange: Exchange, mapper: &mut Mapper, now: Instant) {
        let (id, destination) = (exchange.id, exchange.destination);
        tracing::debug!(?id, %destination, "connecting");
        match Stream::connect(exchange) {
            Ok(stream) => drop(self.streams.insert(id, stream)),
            Err(error) => {
                tracing::debug!(%destination, %error, "not connected");
                mapper.handle_exchange(id, ExchangeInput::Broken, now);
            }
        }
    }

    fn reserve(&mut self, reservation: Reservation, mapper: &mut Mapper, now: Instant) {
        match reservation {
            Reservation::Take(port) => {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port.get()));
                let taken = socket.is_ok();
                self.reserved_by_port.extend(socket.ok().map(|socket| (port, socket)));
                mapper.handle_reservation(port, taken, now);
            }
            Reservation::Drop(port) => drop(self.reserved_by_port.remove(&port)),
        }
    }
}

fn receive_datagrams(kind: Socket, socket: &UdpSocket, mapper: &mut Mapper, now: Instant) {
    let mut buffer = [0; DATAGRAM_BYTES];
    for _ in 0..DATAGRAMS_PER_TURN {
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => mapper.handle_datagram(kind, from, &buffer[..length], now),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                mapper.handle_unreachable(kind, now);
            }
            Err(error) => return tracing::debug!(?kind, %error, "nothing received"),
        }
    }
}

fn discovery_socket(internal: IpAddr) -> io::Result<UdpSocket> {
    let socket = datagram_socket(internal)?;
    if let IpAddr::V4(internal) = internal {
        socket.set_multicast_if_v4(&internal)?;
        // UDA 1.1 §1.3.2.
        socket.set_multicast_ttl_v4(2)?;
    }
    socket.bind(&SocketAddr::new(internal, 0).into())?;
    Ok(socket.into())
}

fn control_socket(internal: IpAddr, gateway: IpAddr) -> io::Result<UdpSocket> {
    let socket = datagram_socket(internal)?;
    socket.bind(&SocketAddr::new(internal, 0).into())?;
    socket.connect(&SocketAddr::new(gateway, SERVER_PORT).into())?;
    Ok(socket.into())
}

/// Shared with every other keeper of this host: each hears every announcement. Bound to the group, so that nothing
/// else wakes it.
fn announcements_socket(internal: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = datagram_socket(internal.into())?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((ALL_HOSTS, ANNOUNCEMENT_PORT)).into())?;
    socket.join_multicast_v4(&ALL_HOSTS, &internal)?;
    Ok(socket.into())
}

fn datagram_socket(internal: IpAddr) -> io::Result<socket2::Socket> {
    let domain = Domain::for_address(SocketAddr::new(internal, 0));
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
