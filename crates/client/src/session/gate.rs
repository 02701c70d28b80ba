//! What is let through, by mosh's own authentication (ARCHITECTURE.md, invariant 3).

use std::time::{Duration, Instant};

use path::Reply;
use wire::datagram::{Direction, Header, LONGEST_PLAINTEXT, Plaintext, SessionKey, Timestamp};

/// Knows the session key and the sequence numbers seen, and nothing of addresses.
#[derive(Debug)]
pub(crate) struct Gate {
    key: SessionKey,
    plaintext: Box<Plaintext>,
    newest_of_client: Option<Newest>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    sequence: u64,
    timestamp: Option<Timestamp>,
    came: Instant,
}

impl Newest {
    /// How long ago mosh-client wrote a timestamp, by its own clock, which shows nothing but milliseconds modulo 65536.
    fn since(&self, timestamp: Timestamp, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.came).as_millis() % (1 << Timestamp::BITS);
        let shown = self.timestamp?.wrapping_add(Timestamp::try_from(passed).ok()?);
        Some(Duration::from_millis(shown.wrapping_sub(timestamp).into()))
    }
}

impl Gate {
    pub(crate) fn new(key: SessionKey) -> Self {
        Self { key, plaintext: Box::new([0; LONGEST_PLAINTEXT]), newest_of_client: None }
    }

    /// Whether it is mosh-client's, and newer than all before. mosh-client never sends one twice.
    pub(crate) fn admits_to_server(&mut self, datagram: &[u8], now: Instant) -> bool {
        let Some(Header { sequence, timestamp, .. }) = self.open(datagram, Direction::ToServer) else {
            return false;
        };
        let is_new = self.newest_of_client.is_none_or(|newest| sequence > newest.sequence);
        if is_new {
            self.newest_of_client = Some(Newest { sequence, timestamp, came: now });
        }
        is_new
    }

    /// What it tells, if it is mosh-server's; a round trip that is not known is endless. That it is newer than others is the path agent's to judge; mosh-client
    /// takes older ones, too, and is not moved by them.
    pub(crate) fn reply(&mut self, datagram: &[u8], now: Instant) -> Option<Reply> {
        let header = self.open(datagram, Direction::ToClient)?;
        let since = |sent| self.newest_of_client.and_then(|newest| newest.since(sent, now));
        let round_trip = header.timestamp_reply.map(|sent| since(sent).unwrap_or(Duration::MAX));
        Some(Reply { sequence: header.sequence, round_trip })
    }

    fn open(&mut self, datagram: &[u8], direction: Direction) -> Option<Header> {
        let opened = self.key.open(datagram, &mut self.plaintext).ok()?;
        (opened.header.direction == direction).then_some(opened.header)
    }
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;

    const KEY: &str = "4NeCCgvZFe2RnPgrcU1PQw";
    const OTHER_KEY: &str = "zr0jtuYVKJnfJHP/XOOsbQ";

    fn sealed(key: &str, header: Header) -> Vec<u8> {
        let key: SessionKey = key.parse().unwrap();
        key.seal(header, b"payload of 17 byt").unwrap()
    }

    fn datagram(key: &str, direction: Direction, sequence: u64) -> Vec<u8> {
        sealed(key, Header { direction, sequence, timestamp: Some(1), timestamp_reply: None })
    }

    fn gate() -> Gate {
        Gate::new(KEY.parse().unwrap())
    }

    #[test]
    fn only_new_datagrams_of_the_client_go_to_the_server() {
        let (mut gate, now) = (gate(), clock::now());
        let to_server = |sequence| datagram(KEY, Direction::ToServer, sequence);
        assert!(gate.admits_to_server(&to_server(0), now));
        assert!(!gate.admits_to_server(&to_server(0), now), "replayed");
        assert!(gate.admits_to_server(&to_server(5), now));
        assert!(!gate.admits_to_server(&to_server(4), now), "replayed late");
        assert!(!gate.admits_to_server(&datagram(KEY, Direction::ToClient, 6), now), "played back");
        assert!(!gate.admits_to_server(&datagram(OTHER_KEY, Direction::ToServer, 6), now), "forged");
        assert!(!gate.admits_to_server(b"", now) && !gate.admits_to_server(&[0; 3_000], now));
        assert!(gate.admits_to_server(&to_server(6), now));
    }

    #[test]
    fn only_datagrams_of_the_server_are_replies() {
        let (mut gate, now) = (gate(), clock::now());
        let reply = Some(Reply { sequence: 9, round_trip: None });
        assert_eq!(gate.reply(&datagram(KEY, Direction::ToClient, 9), now), reply);
        assert_eq!(gate.reply(&datagram(KEY, Direction::ToServer, 9), now), None);
        assert_eq!(gate.reply(&datagram(OTHER_KEY, Direction::ToClient, 9), now), None);
        let mut damaged = datagram(KEY, Direction::ToClient, 9);
        damaged[12] ^= 1;
        assert_eq!(gate.reply(&damaged, now), None);
    }

    /// mosh-client's clock shows `sent` in its newest datagram, and mosh-server's answer names `answered`.
    fn round_trip(sent: Option<Timestamp>, answered: Timestamp, after: Duration) -> Option<Duration> {
        let (mut gate, now) = (gate(), clock::now());
        let header =
            Header { direction: Direction::ToServer, sequence: 0, timestamp: sent, timestamp_reply: None };
        assert!(gate.admits_to_server(&sealed(KEY, header), now));
        let timestamp_reply = Some(answered);
        let header =
            Header { direction: Direction::ToClient, sequence: 0, timestamp: Some(7), timestamp_reply };
        gate.reply(&sealed(KEY, header), now + after).and_then(|reply| reply.round_trip)
    }

    #[test]
    fn a_round_trip_is_the_age_of_the_timestamp_that_is_answered() {
        let ms = Duration::from_millis;
        assert_eq!(round_trip(Some(1_000), 1_000, ms(600)), Some(ms(600)));
        assert_eq!(round_trip(Some(1_000), 400, ms(10)), Some(ms(610)), "an older one is answered");
        assert_eq!(round_trip(Some(1_000), 1_080, ms(130)), Some(ms(50)), "it was held for 80 ms");
        assert_eq!(round_trip(Some(10), 65_530, ms(20)), Some(ms(36)), "the clock began anew");
        assert_eq!(round_trip(None, 65_530, ms(20)), Some(Duration::MAX), "nothing is known");
    }
}
