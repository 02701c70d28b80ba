//! STUN servers, which are asked from where the world sees openers come.

use std::net::SocketAddr;
use std::time::Instant;

use portmap::address::{Reach, reach};
use wire::channel::TARGETS_MAXIMUM;
use wire::opener::is_target;
use wire::stun::{Answer, Question, REQUEST_LENGTH, SERVERS_MAXIMUM, Transaction};

/// Of the newest round: what is asked later replaces it.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    questions: Vec<Question>,
    known: Vec<SocketAddr>,
}

impl Asking {
    /// Those of the servers that may be sent to, and no more than [`SERVERS_MAXIMUM`], with a transaction each. `known` are the
    /// origins of openers without them.
    pub(crate) fn begin(
        &mut self,
        servers: &[SocketAddr],
        transactions: impl Iterator<Item = Transaction>,
        known: Vec<SocketAddr>,
        now: Instant,
    ) {
        let servers = servers.iter().copied().filter(|&server| is_target(server)).take(SERVERS_MAXIMUM);
        let questions = servers.zip(transactions);
        self.questions =
            questions.map(|(server, transaction)| Question::new(server, transaction, now)).collect();
        self.known = known;
    }

    pub(crate) fn asks(&self, server: SocketAddr) -> bool {
        self.questions.iter().any(|question| question.server() == server)
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = SocketAddr> {
        self.questions.iter().map(Question::server)
    }

    /// What is to be sent now, and to whom.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<(SocketAddr, [u8; REQUEST_LENGTH])> {
        self.questions.iter_mut().find_map(|question| Some((question.server(), question.poll(now)?)))
    }

    /// When to [poll](Self::poll), once [`handle_timeout`](Self::handle_timeout) was called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.questions.iter().map(Question::poll_timeout).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.questions.retain(|question| !question.is_over(now));
    }

    /// All origins, the one first that the server tells, if that is a new one. What nobody could send to, or only from its own
    /// network, is none.
    pub(crate) fn handle_datagram(&mut self, datagram: &[u8], server: SocketAddr) -> Option<Vec<SocketAddr>> {
        let answer = self.questions.iter().find_map(|question| question.answer(datagram, server))?;
        tracing::debug!(%server, ?answer);
        self.questions.retain(|question| question.server() != server);
        let Answer::Seen(seen) = answer else { return None };
        let is_new = reach(seen.ip()) == Reach::Public && is_target(seen) && !self.known.contains(&seen);
        is_new.then(|| {
            self.known.insert(0, seen);
            self.known.truncate(TARGETS_MAXIMUM);
            self.known.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use net::clock;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn transactions() -> impl Iterator<Item = Transaction> {
        (0..).map(|number| Transaction::new([number; 12]))
    }

    /// Of the server that was asked as the `number`th.
    fn answer(number: u8, seen: &str) -> Vec<u8> {
        let SocketAddr::V4(seen) = address(seen) else { panic!("IPv4 is expected") };
        let start = [1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
        let port = seen.port().to_be_bytes();
        [&start[..], &[number; 12], &[0, 1, 0, 8, 0, 1], &port, &seen.ip().octets()].concat()
    }

    const SERVERS: [&str; 2] = ["20.0.0.3:3478", "20.0.0.4:3478"];

    fn asking(now: Instant) -> Asking {
        let mut asking = Asking::default();
        asking.begin(&SERVERS.map(address), transactions(), vec![address("20.0.0.1:60001")], now);
        asking
    }

    #[test]
    fn each_server_is_asked_three_times_and_given_up() {
        let now = clock::now();
        let mut asking = asking(now);
        let mut sent = Vec::new();
        let mut at = now;
        while let Some(due) = asking.poll_timeout() {
            at = due;
            asking.handle_timeout(at);
            sent.extend(std::iter::from_fn(|| asking.poll(at)).map(|(server, _)| server));
        }
        assert_eq!(at - now, Duration::from_secs(3));
        assert_eq!(sent, [SERVERS.map(address); 3].concat());
    }

    #[test]
    fn what_a_server_has_seen_comes_first_and_is_told_once() {
        let now = clock::now();
        let mut asking = asking(now);
        let told = asking.handle_datagram(&answer(1, "20.0.0.1:7"), address(SERVERS[1]));
        assert_eq!(told, Some(vec![address("20.0.0.1:7"), address("20.0.0.1:60001")]));
        assert!(!asking.asks(address(SERVERS[1])) && asking.asks(address(SERVERS[0])));
        assert_eq!(asking.handle_datagram(&answer(0, "20.0.0.1:7"), address(SERVERS[0])), None);
        assert_eq!(asking.poll_timeout(), None, "all have answered");
    }

    #[test]
    fn what_is_no_answer_to_the_question_leaves_it_open() {
        let now = clock::now();
        let mut asking = asking(now);
        for (datagram, from) in [
            (answer(1, "20.0.0.1:7"), SERVERS[0]),
            (answer(0, "20.0.0.1:7"), "20.0.0.5:3478"),
            (b"garbage".to_vec(), SERVERS[0]),
            (Vec::new(), SERVERS[0]),
        ] {
            assert_eq!(asking.handle_datagram(&datagram, address(from)), None, "{datagram:?} from {from}");
        }
        assert_eq!(asking.servers().count(), 2);
    }

    #[test]
    fn an_address_that_nobody_else_can_send_to_is_not_told() {
        for nowhere in
            ["192.168.1.10:7", "127.0.0.1:7", "100.64.0.1:7", "224.0.0.1:7", "20.0.0.1:0", "0.0.0.0:7"]
        {
            let mut asking = asking(clock::now());
            assert_eq!(asking.handle_datagram(&answer(0, nowhere), address(SERVERS[0])), None, "{nowhere}");
            assert!(!asking.asks(address(SERVERS[0])), "{nowhere}: it has answered");
        }
    }

    #[test]
    fn neither_too_many_nor_what_is_nobodys_are_asked() {
        let mut asking = Asking::default();
        let many: Vec<_> = (1..=20).map(|port| SocketAddr::from(([20, 0, 0, 3], port))).collect();
        let nobody = [address("127.0.0.1:53"), address("224.0.0.1:1")];
        asking.begin(&[&nobody[..], &many].concat(), transactions(), Vec::new(), clock::now());
        assert!(asking.servers().eq(many.into_iter().take(SERVERS_MAXIMUM)));
    }
}
