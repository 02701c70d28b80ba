//! A round that waits for STUN servers to tell where its sockets are seen, before the host is asked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use path::SocketId;
use portmap::address::{Reach, reach};
use wire::opener::is_target;
use wire::stun::{Answer, Question, REQUEST_LENGTH};

use crate::session::punching::Round;

/// What takes longer than this is not worth the wait: most pairs of NATs need no server.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Asking {
    round: Round,
    sockets: Vec<SocketId>,
    /// Those that are open, with the socket that asks.
    questions: Vec<(SocketId, Question)>,
    until: Instant,
}

impl Asking {
    pub(crate) fn new(
        round: Round,
        sockets: Vec<SocketId>,
        questions: Vec<(SocketId, Question)>,
        now: Instant,
    ) -> Self {
        Self { round, sockets, questions, until: now + PATIENCE }
    }

    /// What is to be sent now: by which socket, and to whom.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<(SocketId, SocketAddr, [u8; REQUEST_LENGTH])> {
        let mut questions = self.questions.iter_mut();
        questions.find_map(|(socket, question)| Some((*socket, question.server(), question.poll(now)?)))
    }

    /// When to [poll](Self::poll), or to look whether it [is done](Self::is_done).
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.questions.iter().map(|(_, question)| question.poll_timeout()).fold(self.until, Instant::min)
    }

    /// There is no way to that server.
    pub(crate) fn give_up(&mut self, socket: SocketId, server: SocketAddr) {
        self.questions.retain(|(by, question)| *by != socket || question.server() != server);
    }

    /// One answer is enough for a socket. What nobody could send to, or only from its own network, says nothing.
    pub(crate) fn handle_datagram(&mut self, socket: SocketId, datagram: &[u8], from: SocketAddr) {
        let mut questions = self.questions.iter().filter(|(by, _)| *by == socket);
        let Some(answer) = questions.find_map(|(_, question)| question.answer(datagram, from)) else {
            return;
        };
        tracing::debug!(server = %from, ?answer);
        match answer {
            Answer::Seen(seen) if reach(seen.ip()) == Reach::Public && is_target(seen) => {
                self.round.is_seen_at(seen);
                self.questions.retain(|(by, _)| *by != socket);
            }
            Answer::Seen(_) | Answer::Refused { .. } => self.give_up(socket, from),
        }
    }

    /// The host is to be asked.
    pub(crate) fn is_done(&self, now: Instant) -> bool {
        self.questions.is_empty() || self.until <= now
    }

    pub(crate) fn is_of(&self, socket: SocketId) -> bool {
        self.sockets.contains(&socket)
    }

    /// What to ask the host for, and who has not answered.
    pub(crate) fn finish(self) -> (Round, Vec<SocketAddr>) {
        (self.round, self.questions.iter().map(|(_, question)| question.server()).collect())
    }
}

#[cfg(test)]
mod tests {
    use net::clock;
    use wire::channel::Frame;
    use wire::stun::Transaction;

    use super::*;
    use crate::session::punching::{Ports, Punching};

    const SERVERS: [&str; 2] = ["20.0.0.3:3478", "20.0.0.4:3478"];

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn sockets() -> [SocketId; 2] {
        let mut agent = path::Agent::new(1);
        let families = [path::Family::V6, path::Family::V4];
        agent.handle_network(&families.map(path::Binding::any), clock::now());
        let mut opened = std::iter::from_fn(|| agent.poll_event()).filter_map(|event| match event {
            path::Event::Open { socket, .. } => Some(socket),
            _ => None,
        });
        [opened.next().unwrap(), opened.next().unwrap()]
    }

    /// Each socket asks both.
    fn asking(sockets: [SocketId; 2], now: Instant) -> Asking {
        let ports = Ports { v6: None, v4: Some(5) };
        let round = Punching::default().ask(1, ports, None, [].into_iter(), Vec::new()).unwrap();
        let questions = sockets.into_iter().flat_map(|socket| {
            let question = |server| Question::new(address(server), Transaction::new([7; 12]), now);
            SERVERS.map(|server| (socket, question(server)))
        });
        Asking::new(round, sockets.to_vec(), questions.collect(), now)
    }

    fn seen_at(seen: &str) -> Vec<u8> {
        let SocketAddr::V4(seen) = address(seen) else { panic!("IPv4 is expected") };
        let start = [1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
        let port = seen.port().to_be_bytes();
        [&start[..], &[7; 12], &[0, 1, 0, 8, 0, 1], &port, &seen.ip().octets()].concat()
    }

    fn targets(round: &Round) -> Vec<SocketAddr> {
        match round.frame(None) {
            Some(Frame::Punch { to, .. }) => to,
            _ => Vec::new(),
        }
    }

    #[test]
    fn one_answer_for_each_socket_is_enough() {
        let (now, sockets) = (clock::now(), sockets());
        let mut asking = asking(sockets, now);
        assert_eq!(std::iter::from_fn(|| asking.poll(now)).count(), 4);
        asking.handle_datagram(sockets[0], &seen_at("20.0.0.1:7"), address(SERVERS[1]));
        assert!(!asking.is_done(now));
        asking.handle_datagram(sockets[1], &seen_at("20.0.0.1:8"), address(SERVERS[0]));
        assert!(asking.is_done(now));
        let (round, silent) = asking.finish();
        assert_eq!(
            (targets(&round), silent),
            (["20.0.0.1:7", "20.0.0.1:8"].map(address).to_vec(), Vec::new())
        );
    }

    #[test]
    fn nobody_is_waited_for_longer_than_half_a_second() {
        let (now, sockets) = (clock::now(), sockets());
        let mut asking = asking(sockets, now);
        let mut at = now;
        while !asking.is_done(at) {
            while asking.poll(at).is_some() {}
            at = asking.poll_timeout();
        }
        assert_eq!(at - now, PATIENCE);
        let (round, silent) = asking.finish();
        assert!(targets(&round).is_empty());
        assert_eq!(silent, [SERVERS, SERVERS].concat().into_iter().map(address).collect::<Vec<_>>());
    }

    #[test]
    fn who_has_answered_without_an_address_is_neither_waited_for_nor_silent() {
        for nowhere in ["192.168.7.7:7", "127.0.0.1:7", "20.0.0.1:0"] {
            let (now, sockets) = (clock::now(), sockets());
            let mut asking = asking(sockets, now);
            for socket in sockets {
                SERVERS.into_iter().for_each(|server| {
                    asking.handle_datagram(socket, &seen_at(nowhere), address(server));
                });
            }
            assert!(asking.is_done(now), "{nowhere}");
            let (round, silent) = asking.finish();
            assert!(targets(&round).is_empty() && silent.is_empty(), "{nowhere}");
        }
    }

    #[test]
    fn what_is_no_answer_changes_nothing() {
        let (now, sockets) = (clock::now(), sockets());
        let mut asking = asking(sockets, now);
        asking.handle_datagram(sockets[0], b"garbage", address(SERVERS[0]));
        asking.handle_datagram(sockets[0], &seen_at("20.0.0.1:7"), address("20.0.0.5:3478"));
        assert_eq!(asking.questions.len(), 4);
        SERVERS.into_iter().for_each(|server| asking.give_up(sockets[0], address(server)));
        assert_eq!(asking.questions.len(), 2);
        assert!(sockets.iter().all(|&socket| asking.is_of(socket)));
    }
}
