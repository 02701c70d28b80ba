//! A gateway of PCP or of NAT-PMP that exists only as values: grants what is asked for, or gives one answer to all.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::router::ROUTER;
use crate::control_port::SERVER_PORT;
use crate::effects::{Reservation, Socket, Transmit};
use crate::mapper::{Event, Mapper, Record};

pub(super) const PCP: u8 = 2;
const EXTERNAL: [u8; 4] = [20, 0, 0, 1];

#[derive(Debug, Default)]
pub(super) struct ControlPort {
    /// What becomes of each request; 0 is success.
    pub(super) code: u8,
    /// Requests are answered only by [`Asking::hear_late_answers`].
    pub(super) slow: bool,
    pub(super) late: Vec<Vec<u8>>,
    /// In this version nothing is answered.
    pub(super) deaf_to: Option<u8>,
    /// What was asked for, in the order in which it came.
    pub(super) asked: Vec<Asked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) external_port: u16,
    /// PCP: it or none.
    pub(super) prefer_failure: bool,
}

impl ControlPort {
    /// `None`: not yet.
    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let (version, operation) = (request[0], request[1]);
        if self.deaf_to == Some(version) {
            return None;
        }
        let answer = match (version, operation) {
            (PCP, 0) => pcp_header(0, 0),
            (PCP, 1) => self.pcp_map(request),
            (0, 0) => [&[0, 128, 0, 0, 0, 0, 3, 232], &EXTERNAL[..]].concat(),
            (0, 1) => self.nat_pmp_map(request),
            unknown => panic!("unexpected question {unknown:?}"),
        };
        if self.slow && operation == 1 {
            self.late.push(answer);
            return None;
        }
        Some(answer)
    }

    /// That of the answer: the one that is spoken, if it is not the one that was asked in.
    fn version(&self, asked: u8) -> u8 {
        if self.code == ANOTHER_VERSION { 1 } else { asked }
    }

    fn pcp_map(&mut self, request: &[u8]) -> Vec<u8> {
        let external_port = u16::from_be_bytes([request[42], request[43]]);
        self.asked.push(Asked { external_port, prefer_failure: request.len() > 60 });
        let mut answer = pcp_header(1, self.code);
        answer[0] = self.version(PCP);
        if request[4..8] == [0; 4] {
            answer[4..8].fill(0);
        }
        answer.extend_from_slice(&request[24..44]);
        answer.extend_from_slice(&[0; 10]);
        answer.extend_from_slice(&[255, 255]);
        answer.extend_from_slice(&EXTERNAL);
        answer
    }

    fn nat_pmp_map(&mut self, request: &[u8]) -> Vec<u8> {
        let external_port = u16::from_be_bytes([request[6], request[7]]);
        self.asked.push(Asked { external_port, prefer_failure: false });
        [&[self.version(0), 129, 0, self.code, 0, 0, 3, 232], &request[4..12]].concat()
    }
}

/// Both RFCs: "unsupported version".
const ANOTHER_VERSION: u8 = 1;

/// With a lifetime of an hour, or, in a refusal, for how long that stands.
pub(super) fn pcp_header(operation: u8, code: u8) -> Vec<u8> {
    let mut header = vec![PCP, 128 | operation, 0, code, 0, 0, 14, 16, 0, 0, 3, 232];
    header.resize(24, 0);
    header
}

/// A mapper that asks such a gateway, and the time it lives in.
pub(super) struct Asking {
    pub(super) mapper: Mapper,
    pub(super) now: Instant,
    pub(super) events: VecDeque<Event>,
    /// What was to be written down before it was asked for.
    pub(super) recorded: Vec<Record>,
}

impl Asking {
    pub(super) fn new(mapper: Mapper, now: Instant) -> Self {
        Self { mapper, now, events: VecDeque::new(), recorded: Vec::new() }
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn advance(&mut self, gateway: &mut ControlPort, time: Duration) {
        let end = self.now + time;
        while self.step(gateway) {}
        while let Some(at) = self.mapper.poll_timeout().filter(|&at| at <= end) {
            assert!(at >= self.now, "a deadline in the past is never handled");
            self.now = at;
            self.mapper.handle_timeout(at);
            while self.step(gateway) {}
        }
        self.now = end;
    }

    pub(super) fn hear_late_answers(&mut self, gateway: &mut ControlPort) {
        gateway.slow = false;
        for answer in std::mem::take(&mut gateway.late) {
            self.hear(&answer);
        }
        while self.step(gateway) {}
    }

    pub(super) fn hear(&mut self, answer: &[u8]) {
        let from = SocketAddr::new(ROUTER.parse().expect("a literal"), SERVER_PORT);
        self.mapper.handle_datagram(Socket::Control, from, answer, self.now);
    }

    fn step(&mut self, gateway: &mut ControlPort) -> bool {
        if let Some(Transmit { socket, payload, .. }) = self.mapper.poll_transmit() {
            if socket == Socket::Control
                && let Some(answer) = gateway.answer(&payload)
            {
                self.hear(&answer);
            }
        } else if let Some(reservation) = self.mapper.poll_reservation() {
            if let Reservation::Take(port) = reservation {
                self.mapper.handle_reservation(port, true, self.now);
            }
        } else if let Some(event) = self.mapper.poll_event() {
            match event {
                Event::Asked(record) => self.recorded.push(record),
                event => self.events.push_back(event),
            }
        } else {
            return false;
        }
        true
    }
}
