//! Performs the effects of a mapper, and hands it what came in.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::Instant;

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

#[derive(Debug)]
pub struct MapperSockets {
    discovery: UdpSocket,
    streams: BTreeMap<ExchangeId, Stream>,
    reserved_by_port: BTreeMap<NonZeroU16, UdpSocket>,
}

impl MapperSockets {
    /// # Errors
    ///
    /// `internal` is not an address of this host.
    pub fn open(internal: IpAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            Domain::for_address(SocketAddr::new(internal, 0)),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        socket.set_nonblocking(true)?;
        if let IpAddr::V4(internal) = internal {
            socket.set_multicast_if_v4(&internal)?;
            // UDA 1.1 §1.3.2 wants 2; a router is on this link.
            socket.set_multicast_ttl_v4(2)?;
        }
        socket.bind(&SocketAddr::new(internal, 0).into())?;
        Ok(Self { discovery: socket.into(), streams: BTreeMap::new(), reserved_by_port: BTreeMap::new() })
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
        let discovery = PollFd::from_borrowed_fd(self.discovery.as_fd(), PollFlags::IN);
        [discovery].into_iter().chain(streams).collect()
    }

    /// Hands over everything that has arrived.
    pub fn receive(&mut self, mapper: &mut Mapper, now: Instant) {
        let mut buffer = [0; DATAGRAM_BYTES];
        for _ in 0..DATAGRAMS_PER_TURN {
            match self.discovery.recv_from(&mut buffer) {
                Ok((length, from)) => mapper.handle_datagram(Socket::Discovery, from, &buffer[..length], now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => tracing::debug!(%error, "nothing received"),
            }
        }
        for (&id, stream) in &mut self.streams {
            stream.progress(|input| mapper.handle_exchange(id, input, now));
        }
    }

    fn send(&self, transmit: &Transmit) {
        let Transmit { destination, payload, .. } = transmit;
        tracing::debug!(%destination, bytes = payload.len(), "sending");
        if let Err(error) = self.discovery.send_to(payload, destination) {
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
