//! What comes back over ssh, line by line.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use wire::offer::{Offer, Unusable};
use zeroize::{Zeroize as _, Zeroizing};

/// A line of ours has a thousand bytes at most; what a login shell prints is cut here.
const LINE_BYTES_MAXIMUM: usize = 8 * 1024;

const KEY_CHARACTERS: usize = 22;

/// One line of what the host printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Offer(Offer),
    UnusableOffer(Unusable),
    /// The host has moshpunch, which is started now.
    Present,
    /// The host has none.
    Absent,
    /// Where the host itself says that it is.
    Address(IpAddr),
    Connect(Connect),
    /// Meant for us, and not understood.
    Malformed(String),
    /// For the user: without its end.
    Text(Vec<u8>),
}

#[derive(PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) port: NonZeroU16,
    pub(crate) key: Zeroizing<String>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("port", &self.port).finish_non_exhaustive()
    }
}

/// Cuts what has come into lines.
pub(crate) struct Transcript {
    /// As long as it ever gets, so that it leaves no copy behind where it grows.
    partial: Zeroizing<Vec<u8>>,
}

impl Default for Transcript {
    fn default() -> Self {
        Self { partial: Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAXIMUM)) }
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").finish_non_exhaustive()
    }
}

impl Transcript {
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte != b'\n' && self.partial.len() < LINE_BYTES_MAXIMUM {
                self.partial.push(byte);
                continue;
            }
            lines.push(self.finish());
            if byte != b'\n' {
                self.partial.push(byte);
            }
        }
        lines
    }

    /// What stood behind the last end of a line.
    pub(crate) fn rest(&mut self) -> Option<Line> {
        (!self.partial.is_empty()).then(|| self.finish())
    }

    fn finish(&mut self) -> Line {
        let line = Line::parse(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial));
        self.partial.zeroize();
        line
    }
}

impl Line {
    fn parse(line: &[u8]) -> Self {
        match Offer::parse(line) {
            Ok(Some(offer)) => return Self::Offer(offer),
            Err(unusable) => return Self::UnusableOffer(unusable),
            Ok(None) => {}
        }
        let Ok(text) = str::from_utf8(line) else { return Self::Text(line.to_vec()) };
        match text.trim_end() {
            "MOSHPUNCH PRESENT" => return Self::Present,
            "MOSHPUNCH ABSENT" => return Self::Absent,
            _ => {}
        }
        if let Some(rest) = text.strip_prefix("MOSH CONNECT ") {
            return connect(rest.trim_end()).map_or_else(|| malformed("MOSH CONNECT"), Self::Connect);
        }
        if let Some(rest) = text.strip_prefix("MOSH IP ") {
            return address(rest.trim_end()).map_or_else(|| malformed(text), Self::Address);
        }
        if let Some(rest) = text.strip_prefix("MOSH SSH_CONNECTION ") {
            let server = rest.split(' ').nth(2).and_then(address);
            return server.map_or_else(|| malformed(text), Self::Address);
        }
        Self::Text(line.to_vec())
    }
}

fn malformed(text: &str) -> Line {
    Line::Malformed(text.to_owned())
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn connect(text: &str) -> Option<Connect> {
    let (port, key) = text.split_once(' ')?;
    let of_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+';
    let is_key = key.len() == KEY_CHARACTERS && key.bytes().all(of_key);
    let port = port.parse().ok().filter(|_| is_key)?;
    Some(Connect { port, key: key.to_owned().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "4NeCCgvZFe2RnPgrcU1PQw";

    fn text(text: &str) -> Line {
        Line::Text(text.into())
    }

    fn connected(port: u16) -> Line {
        Line::Connect(Connect { port: NonZeroU16::new(port).unwrap(), key: KEY.to_owned().into() })
    }

    #[test]
    fn lines_are_told_apart_however_they_are_cut() {
        let all = format!(
            "Welcome!\r\n\r\nMOSHPUNCH OFFER 1 host=192.168.1.10:60001 more\r\nMOSH CONNECT 60001 {KEY}\r\n\
             MOSHPUNCH OFFER 1\r\nbye"
        );
        for size in [1, 2, 7, all.len()] {
            let mut transcript = Transcript::default();
            let mut lines: Vec<_> =
                all.as_bytes().chunks(size).flat_map(|part| transcript.read(part)).collect();
            lines.extend(transcript.rest());
            assert_eq!(lines.len(), 6, "{lines:?}");
            assert_eq!((&lines[0], &lines[1]), (&text("Welcome!"), &text("")));
            assert!(matches!(&lines[2], Line::Offer(offer) if offer.more && offer.candidates.len() == 1));
            assert_eq!(lines[3], connected(60_001));
            assert!(matches!(&lines[4], Line::Offer(offer) if !offer.more && offer.candidates.is_empty()));
            assert_eq!(lines[5], text("bye"));
        }
    }

    #[test]
    fn what_mosh_itself_prints_is_understood() {
        let parsed = |line: &str| Line::parse(line.as_bytes());
        let address = |text: &str| Line::Address(text.parse().unwrap());
        assert_eq!(parsed("MOSH IP 192.168.1.10"), address("192.168.1.10"));
        assert_eq!(
            parsed("MOSH SSH_CONNECTION 20.0.0.9 4000 ::ffff:192.168.1.10 22"),
            address("192.168.1.10")
        );
        assert_eq!(parsed("MOSHPUNCH ABSENT"), Line::Absent);
        assert_eq!(parsed("MOSHPUNCH PRESENT"), Line::Present);
        assert_eq!(parsed(&format!("MOSH CONNECT 60001 {KEY}  ")), connected(60_001));
        assert_eq!(parsed("see MOSH CONNECT"), text("see MOSH CONNECT"));
    }

    #[test]
    fn what_is_not_understood_is_named_without_the_key() {
        for line in [
            format!("MOSH CONNECT 0 {KEY}"),
            format!("MOSH CONNECT 60001 {KEY}x"),
            format!("MOSH CONNECT 60001 {}-", &KEY[1..]),
            "MOSH CONNECT ".into(),
        ] {
            assert_eq!(Line::parse(line.as_bytes()), malformed("MOSH CONNECT"), "{line}");
        }
        assert_eq!(Line::parse(b"MOSH IP host"), malformed("MOSH IP host"));
        assert!(matches!(Line::parse(b"MOSHPUNCH OFFER 2 x"), Line::UnusableOffer(Unusable::Version(2))));
        assert!(!format!("{:?}", connected(60_001)).contains(KEY));
    }

    #[test]
    fn an_endless_line_is_cut() {
        let lines = Transcript::default().read(&vec![b'x'; 3 * LINE_BYTES_MAXIMUM]);
        let cut = || Line::Text(vec![b'x'; LINE_BYTES_MAXIMUM]);
        assert_eq!(lines, [cut(), cut()]);
    }
}
