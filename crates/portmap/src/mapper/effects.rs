//! The mapper as any shell drives it.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Instant;

use super::{Event, Mapper};
use crate::address::Network;
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Reservation, Socket, StateMachine, Transmit};

impl StateMachine for Mapper {
    type Event = Event;

    fn handle_datagram(&mut self, socket: Socket, from: SocketAddr, payload: &[u8], now: Instant) {
        Self::handle_datagram(self, socket, from, payload, now);
    }

    fn handle_unreachable(&mut self, socket: Socket, now: Instant) {
        Self::handle_unreachable(self, socket, now);
    }

    fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        Self::handle_exchange(self, id, input, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        Self::poll_transmit(self)
    }

    fn poll_exchange(&mut self) -> Option<Exchange> {
        Self::poll_exchange(self)
    }

    fn poll_close(&mut self) -> Option<ExchangeId> {
        Self::poll_close(self)
    }

    fn poll_event(&mut self) -> Option<Event> {
        Self::poll_event(self)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self)
    }

    fn handle_networks(&mut self, networks: Vec<Network>) {
        Self::handle_networks(self, networks);
    }

    fn notifying_gateway(&self) -> Option<IpAddr> {
        Self::notifying_gateway(self)
    }

    fn poll_reservation(&mut self) -> Option<Reservation> {
        Self::poll_reservation(self)
    }

    fn handle_reservation(&mut self, port: NonZeroU16, taken: bool, now: Instant) {
        Self::handle_reservation(self, port, taken, now);
    }
}
