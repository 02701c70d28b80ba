//! What a forwarder does for a round of hole punching.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Instant;

use net::{NotSent, clock, interfaces, random};
use path::{Primed, SocketId};
use portmap::address::{Reach, reach};
use wire::channel::Punched;
use wire::stun::{Question, Transaction};

use super::{Forwarder, Found};
use crate::session::asking::Asking;
use crate::session::own_mapping::Outcome;
use crate::session::punching::{PRIMER, Ports, hops};

impl Forwarder {
    /// From a public address no NAT is on the way that would have to be told.
    pub(super) fn prime(&self, socket: SocketId, remote: SocketAddr, primed: Primed) {
        if interfaces::source_toward(remote.ip()).is_some_and(|own| reach(own) == Reach::Public) {
            return;
        }
        if let Err(error) = self.back.send_no_farther(socket, remote, &PRIMER, hops(primed)) {
            tracing::debug!(%remote, %error, "not primed");
        }
    }

    pub(super) fn ask_for_openers(&mut self, number: u32, v6: Option<SocketId>, v4: Option<SocketId>) {
        if let Some(place) = v4.or(v6).and_then(|socket| self.relays.place(socket)) {
            return self.ask_for_openers_to_relay(number, place);
        }
        let port = |socket: Option<SocketId>| socket.and_then(|socket| self.back.port(socket));
        let ports = Ports { v6: port(v6), v4: port(v4) };
        let remotes = self.agent.candidates().map(|candidate| candidate.address.ip());
        let mapped = v4.and_then(|socket| self.own_mappings.outside(socket));
        match self.punching.ask(number, ports, mapped, remotes, self.scout.stun.addresses().collect()) {
            Ok(round) => {
                let sockets: Vec<_> = [v6, v4].into_iter().flatten().collect();
                let questions = self.questions(v6, v4);
                self.asking = Some(Asking::new(round, sockets, questions, clock::now()));
                self.ask_on();
            }
            Err(_) => self.agent.handle_punch_refused(number, clock::now()),
        }
    }

    /// From a public address no NAT is on the way.
    fn questions(&self, v6: Option<SocketId>, v4: Option<SocketId>) -> Vec<(SocketId, Question)> {
        let question = |server: SocketAddr| {
            let socket = if server.is_ipv6() { v6 } else { v4 }?;
            let own = interfaces::source_toward(server.ip())?;
            let mut bytes = [0; 12];
            random::fill(&mut bytes).ok().filter(|()| reach(own) != Reach::Public)?;
            Some((socket, Question::new(server, Transaction::new(bytes), clock::now())))
        };
        self.scout.stun.worth_asking().filter_map(question).collect()
    }

    /// First those servers, if there are any, and then the host.
    pub(super) fn ask_on(&mut self) {
        let Some(asking) = &mut self.asking else { return };
        let now = clock::now();
        while let Some((socket, server, request)) = asking.poll(now) {
            if let Err(NotSent::Unreachable) = self.back.send(socket, server, &request, 0) {
                asking.give_up(socket, server);
            }
        }
        if let Some(asked) = self.asking.take_if(|asking| asking.is_done(now)) {
            let (round, silent) = asked.finish();
            self.scout.stun.were_silent(&silent);
            if !self.scout.punch(&round, now) {
                self.agent.handle_punch_refused(round.number(), now);
            }
        }
    }

    pub(super) fn handle_punched(&mut self, round: u32, outcome: &Punched) {
        tracing::debug!(round, ?outcome);
        let now = clock::now();
        match outcome {
            Punched::Sent { from } => {
                let from = self.scout.openers_come_from(from, now);
                self.agent.handle_punched(round, &from, now);
            }
            Punched::Refused { .. } => self.agent.handle_punch_refused(round, now),
        }
    }

    pub(super) fn handle_opener(&mut self, socket: SocketId, from: SocketAddr, now: Instant) {
        if !self.agent.expects_opener(socket, from) {
            return;
        }
        tracing::debug!(%from, "an opener");
        for source in self.scout.openers_come_from(&[from], now) {
            self.agent.handle_opener(socket, source, now);
        }
    }

    pub(super) fn ask_for_mapping(&mut self, socket: SocketId) {
        let now = clock::now();
        let remotes = self.agent.candidates().map(|candidate| candidate.address.ip());
        let port = self.back.port(socket).and_then(NonZeroU16::new);
        if !port.is_some_and(|port| self.own_mappings.ask(socket, port, remotes, now)) {
            self.agent.handle_not_mapped(socket, now);
        }
        self.handle_mappings();
    }

    pub(super) fn handle_mappings(&mut self) {
        while let Some(outcome) = self.own_mappings.poll_outcome() {
            let now = clock::now();
            tracing::debug!(?outcome);
            match outcome {
                Outcome::Mapped { socket, outside, by } => {
                    self.note(Found::Mapping { by, outside }, now);
                    self.agent.handle_mapped(socket, now);
                }
                Outcome::NotMapped { socket } => self.agent.handle_not_mapped(socket, now),
            }
        }
    }
}
