//! What comes back over ssh, line by line.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use wire::channel::{Frame, Side};
use wire::offer::{Offer, Unusable};
use zeroize::{Zeroize as _, Zeroizing};

/// A line of ours has a thousand bytes at most; what a login shell prints is cut here.
const LINE_BYTES_MAXIMUM: usize = 8 * 1024;

/// Of what a program printed that does not run.
const TOLD_CHARACTERS_MAXIMUM: usize = 200;

const KEY_CHARACTERS: usize = 22;

/// How every line begins that is meant for us.
const OURS: [&[u8]; 4] = [SECRET, b"MOSH IP ", b"MOSH SSH_CONNECTION ", b"MOSHPUNCH "];

/// What no text may go on with that is shown: a key follows.
const SECRET: &[u8] = b"MOSH CONNECT ";

/// One line of what the host printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Offer(Offer),
    UnusableOffer(Unusable),
    /// The host has moshpunch, which is started now.
    Present,
    /// The host has none.
    Absent,
    /// It has one that does not run: which, and what it printed.
    Broken(String),
    /// mosh-server runs in this locale, since the user's is not there.
    Locale(String),
    /// Where the host itself says that it is.
    Address(IpAddr),
    Connect(Connect),
    /// Said on the channel, by a host that was asked for one.
    Channel(Frame),
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

    /// The same, as far as it may be shown before its end has come: nothing that may be meant for us.
    pub(crate) fn unfinished(&self) -> &[u8] {
        let begun = self.partial.as_slice();
        let may_be_ours = |&at: &usize| {
            let rest = &begun[at..];
            let beginnings = if at == 0 { &OURS[..] } else { &[SECRET] };
            beginnings.iter().any(|beginning| rest.starts_with(beginning) || beginning.starts_with(rest))
        };
        &begun[..(0..begun.len()).find(may_be_ours).unwrap_or(begun.len())]
    }

    fn finish(&mut self) -> Line {
        let line = Line::parse(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial));
        // Alone: behind it nothing has been written since it was wiped last, and a line is short.
        self.partial.as_mut_slice().zeroize();
        self.partial.clear();
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
        if let Some(what) = line.strip_prefix(b"MOSHPUNCH BROKEN ") {
            return Self::Broken(cut(&String::from_utf8_lossy(what)));
        }
        let Ok(text) = str::from_utf8(line) else { return Self::Text(line.to_vec()) };
        match text.trim_end() {
            "MOSHPUNCH PRESENT" => return Self::Present,
            "MOSHPUNCH ABSENT" => return Self::Absent,
            _ => {}
        }
        if let Some(name) = text.strip_prefix("MOSHPUNCH LOCALE ") {
            return Self::Locale(cut(name));
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
        Frame::parse(line, Side::Host).map_or_else(|| Self::Text(line.to_vec()), Self::Channel)
    }
}

/// To what fits into a message.
fn cut(text: &str) -> String {
    text.trim_end().chars().take(TOLD_CHARACTERS_MAXIMUM).collect()
}

/// Text up to a connect line that begins within it: its key is not to be shown.
pub(crate) fn without_secret(text: &[u8]) -> &[u8] {
    let is_followed_by_key = |&at: &usize| {
        let rest = text[at..].strip_prefix(SECRET).map(String::from_utf8_lossy);
        let key = rest.as_deref().and_then(|rest| rest.split(' ').nth(1));
        key.is_some_and(|key| key.len() >= KEY_CHARACTERS)
    };
    &text[..(0..text.len()).find(is_followed_by_key).unwrap_or(text.len())]
}

fn malformed(text: &str) -> Line {
    Line::Malformed(text.to_owned())
}

/// Its scope, if it has one, is the name of an interface of the host's, which says nothing here.
fn address(text: &str) -> Option<IpAddr> {
    let of_a_link = || text.split_once('%')?.0.parse().ok().map(IpAddr::V6);
    text.parse().ok().or_else(of_a_link).map(|address: IpAddr| address.to_canonical())
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
    fn an_unfinished_line_is_shown_unless_it_may_be_ours() {
        for (begun, shown) in [
            ("Press Enter: ", "Press Enter: "),
            ("Welcome\nname? ", "name? "),
            ("Welcome\n", ""),
            ("M", ""),
            ("MOSHPUNCH OFFER 1 host=1.2.3.4:5", ""),
            ("Motto: ", "Motto: "),
            ("More? MOSH", "More? "),
            ("no end MOSH CONNECT 60001 4NeCC", "no end "),
            ("MOSHER: MOSHERS ", "MOSHER: MOSHERS "),
            ("MOSH token: ", "MOSH token: "),
            ("MOSH CONNECT 60001 4NeCC", ""),
            ("MOSH", ""),
        ] {
            let mut transcript = Transcript::default();
            transcript.read(begun.as_bytes());
            assert_eq!(transcript.unfinished(), shown.as_bytes(), "{begun}");
        }
    }

    #[test]
    fn a_key_behind_other_text_is_not_shown() {
        let line = format!("no end of a lineMOSH CONNECT 60001 {KEY} ");
        assert_eq!(without_secret(line.as_bytes()), b"no end of a line");
        let advice = b"mosh-server prints MOSH CONNECT and a port";
        assert_eq!(without_secret(advice), advice);
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
        let by_a_link = "MOSH SSH_CONNECTION fe80::1%eth0 4000 fe80::2%eth0 22";
        assert_eq!(
            (parsed("MOSH IP fe80::2%eth0"), parsed(by_a_link)),
            (address("fe80::2"), address("fe80::2"))
        );
        assert_eq!(parsed("MOSHPUNCH ABSENT"), Line::Absent);
        assert_eq!(parsed("MOSHPUNCH PRESENT"), Line::Present);
        assert_eq!(parsed("MOSHPUNCH LOCALE C.UTF-8\r"), Line::Locale("C.UTF-8".into()));
        assert_eq!(parsed(&format!("MOSH CONNECT 60001 {KEY}  ")), connected(60_001));
        assert_eq!(parsed("see MOSH CONNECT"), text("see MOSH CONNECT"));
    }

    #[test]
    fn of_what_does_not_run_a_part_is_kept_whatever_its_bytes() {
        let line = [&b"MOSHPUNCH BROKEN /bin/moshpunch: \xff"[..], &[b'x'; 1000]].concat();
        let Line::Broken(what) = Line::parse(&line) else { panic!("{line:?}") };
        assert!(what.starts_with("/bin/moshpunch: \u{fffd}xx"), "{what}");
        assert_eq!(what.chars().count(), TOLD_CHARACTERS_MAXIMUM);
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
