//! What is let through, by mosh's own authentication (ARCHITECTURE.md, invariant 3).

use path::Reply;
use wire::datagram::{Direction, Header, LONGEST_PLAINTEXT, Plaintext, SessionKey};

/// Knows the session key and the sequence numbers seen, and nothing of addresses.
#[derive(Debug)]
pub(crate) struct Gate {
    key: SessionKey,
    plaintext: Box<Plaintext>,
    newest_of_client: Option<u64>,
}

impl Gate {
    pub(crate) fn new(key: SessionKey) -> Self {
        Self { key, plaintext: Box::new([0; LONGEST_PLAINTEXT]), newest_of_client: None }
    }

    /// Whether it is mosh-client's, and newer than all before. mosh-client never sends one twice.
    pub(crate) fn admits_to_server(&mut self, datagram: &[u8]) -> bool {
        let Some(header) = self.open(datagram, Direction::ToServer) else { return false };
        let is_new = self.newest_of_client.is_none_or(|newest| header.sequence > newest);
        if is_new {
            self.newest_of_client = Some(header.sequence);
        }
        is_new
    }

    /// What it tells, if it is mosh-server's. That it is newer than others is the path agent's to judge; mosh-client
    /// takes older ones, too, and is not moved by them.
    pub(crate) fn reply(&mut self, datagram: &[u8]) -> Option<Reply> {
        let header = self.open(datagram, Direction::ToClient)?;
        Some(Reply { sequence: header.sequence, answers: header.timestamp_reply.is_some() })
    }

    fn open(&mut self, datagram: &[u8], direction: Direction) -> Option<Header> {
        let opened = self.key.open(datagram, &mut self.plaintext).ok()?;
        (opened.header.direction == direction).then_some(opened.header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "4NeCCgvZFe2RnPgrcU1PQw";
    const OTHER_KEY: &str = "zr0jtuYVKJnfJHP/XOOsbQ";

    fn datagram(key: &str, direction: Direction, sequence: u64) -> Vec<u8> {
        let header = Header { direction, sequence, timestamp: Some(1), timestamp_reply: Some(2) };
        let key: SessionKey = key.parse().unwrap();
        key.seal(header, b"payload of 17 byt").unwrap()
    }

    fn gate() -> Gate {
        Gate::new(KEY.parse().unwrap())
    }

    #[test]
    fn only_new_datagrams_of_the_client_go_to_the_server() {
        let mut gate = gate();
        let to_server = |sequence| datagram(KEY, Direction::ToServer, sequence);
        assert!(gate.admits_to_server(&to_server(0)));
        assert!(!gate.admits_to_server(&to_server(0)), "replayed");
        assert!(gate.admits_to_server(&to_server(5)));
        assert!(!gate.admits_to_server(&to_server(4)), "replayed late");
        assert!(!gate.admits_to_server(&datagram(KEY, Direction::ToClient, 6)), "played back");
        assert!(!gate.admits_to_server(&datagram(OTHER_KEY, Direction::ToServer, 6)), "forged");
        assert!(!gate.admits_to_server(b"") && !gate.admits_to_server(&[0; 3_000]));
        assert!(gate.admits_to_server(&to_server(6)));
    }

    #[test]
    fn only_datagrams_of_the_server_are_replies() {
        let mut gate = gate();
        let reply = Some(Reply { sequence: 9, answers: true });
        assert_eq!(gate.reply(&datagram(KEY, Direction::ToClient, 9)), reply);
        assert_eq!(gate.reply(&datagram(KEY, Direction::ToServer, 9)), None);
        assert_eq!(gate.reply(&datagram(OTHER_KEY, Direction::ToClient, 9)), None);
        let mut damaged = datagram(KEY, Direction::ToClient, 9);
        damaged[12] ^= 1;
        assert_eq!(gate.reply(&damaged), None);
    }
}
