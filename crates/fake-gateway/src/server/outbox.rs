//! Datagrams that wait for their time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Sockets;
use crate::effect::{self, Effect};

/// A datagram to send.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Of the server that answers.
    pub(crate) port: u16,
    pub(crate) from: Option<SocketAddr>,
    pub(crate) to: SocketAddr,
    pub(crate) payload: Vec<u8>,
    pub(crate) delay: Duration,
}

impl Outgoing {
    /// The datagrams that become of an answer.
    pub(crate) fn after(effects: &[Effect], port: u16, to: SocketAddr, payload: Vec<u8>) -> Vec<Self> {
        if effect::is_silent(effects) {
            return Vec::new();
        }
        let mut payload = effect::disfigured(payload, effects);
        let mut from = None;
        let mut copies = 1;
        for effect in effects {
            match effect {
                Effect::Oversize(length) => payload.resize(payload.len().max(*length), 0),
                Effect::ReplyFrom(address) => from = Some(*address),
                Effect::Duplicate => copies += 1,
                _ => {}
            }
        }
        vec![Self { port, from, to, payload, delay: effect::delay(effects) }; copies]
    }
}

#[derive(Debug, Default)]
pub(super) struct Outbox(Vec<(Instant, Outgoing)>);

impl Outbox {
    pub(super) fn extend(&mut self, datagrams: Vec<Outgoing>, now: Instant) {
        self.0.extend(datagrams.into_iter().map(|datagram| (now + datagram.delay, datagram)));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    pub(super) fn send_due(&mut self, sockets: &Sockets, now: Instant) {
        for (_, Outgoing { port, from, to, payload, .. }) in self.0.extract_if(.., |(at, _)| *at <= now) {
            sockets.send(port, from, to, &payload);
        }
    }
}
