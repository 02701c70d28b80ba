//! What one server is asked, until it has answered or too much time has passed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Answer, REQUEST_LENGTH, Transaction};

/// After it was begun. RFC 8489, §6.2.1, begins with 500 ms and goes on for 39.5 s; whoever asks here has a round of hole
/// punching under way, which lasts 3 s.
const SENDINGS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(250), Duration::from_millis(750)];

const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct Question {
    server: SocketAddr,
    transaction: Transaction,
    begun: Instant,
    sent: usize,
}

impl Question {
    #[must_use]
    pub fn new(server: SocketAddr, transaction: Transaction, now: Instant) -> Self {
        Self { server, transaction, begun: now, sent: 0 }
    }

    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// What is to be sent to the server now.
    pub fn poll(&mut self, now: Instant) -> Option<[u8; REQUEST_LENGTH]> {
        let due = self.begun + *SENDINGS.get(self.sent)?;
        (due <= now).then(|| {
            self.sent += 1;
            self.transaction.request()
        })
    }

    /// When to [poll](Self::poll), or to look whether it [is over](Self::is_over).
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.begun + SENDINGS.get(self.sent).copied().unwrap_or(PATIENCE)
    }

    /// No answer is waited for any more.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.begun + PATIENCE <= now
    }

    /// Of a datagram that came from there.
    #[must_use]
    pub fn answer(&self, datagram: &[u8], from: SocketAddr) -> Option<Answer> {
        (from == self.server).then(|| self.transaction.answer(datagram))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> SocketAddr {
        "20.0.0.3:3478".parse().unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn question() -> (Question, Instant) {
        let now = Instant::now();
        (Question::new(server(), Transaction::new([7; 12]), now), now)
    }

    #[test]
    fn it_is_asked_three_times_and_given_up() {
        let (mut question, begun) = question();
        let mut sent = Vec::new();
        let mut now = begun;
        while !question.is_over(now) {
            while let Some(request) = question.poll(now) {
                assert_eq!(request, Transaction::new([7; 12]).request());
                sent.push(now - begun);
            }
            now = question.poll_timeout();
        }
        assert_eq!(sent, SENDINGS);
        assert_eq!(now - begun, PATIENCE);
    }

    #[test]
    fn nobody_answers_for_the_server() {
        let (question, _) = question();
        let refusal = [
            &[1, 0x11, 0, 8, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7][..],
            &[0, 9, 0, 4, 0, 0, 4, 0],
        ]
        .concat();
        assert_eq!(question.answer(&refusal, server()), Some(Answer::Refused { code: 400 }));
        for other in ["20.0.0.3:3479", "20.0.0.4:3478"] {
            assert_eq!(question.answer(&refusal, other.parse().unwrap()), None, "{other}");
        }
    }
}
