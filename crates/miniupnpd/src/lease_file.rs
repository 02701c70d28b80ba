//! The file in which miniupnpd notes its IPv4 mappings, so that they survive its restart.
//!
//! One line a mapping, `PROTO:eport:iaddr:iport:timestamp:description` until version 2.3.11. Later ones name the remote
//! host, too: `PROTO:eport:rhost:iaddr:iport:timestamp:description`. The description is the client's own and may hold
//! colons, so what tells the two apart is the field that is either the internal port or an address.
//!
//! Until 2.3.11 the description may hold the ends of lines, too, so whoever may map one port can write whole lines here, of
//! any content. A line proves nothing.
//!
//! A mapping is added by appending its line. To remove one, the file is written anew beside the old one, which is then
//! replaced by a rename. A renewal is both, one after the other.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;

use crate::mapping::{External, Transport};

/// No more than this of a file is read: some twenty thousand mappings. It takes milliseconds.
pub const BYTES_MAXIMUM: u64 = 1024 * 1024;

/// What tells a lease is shorter; what comes behind it in a line is description, of any length.
const LINE_BYTES_MAXIMUM: usize = 256;

/// Of builds that note the seconds that are left in place of the date (`LEASEFILE_USE_REMAINING_TIME`), the longest
/// lease is far below this; as a date it is in 2001.
const FIRST_DATE: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub external: External,
    pub internal: SocketAddrV4,
    /// In seconds since 1970. `None`: it has no end, or the file does not tell which.
    pub expires: Option<u64>,
}

/// Takes a file piece by piece, and keeps no more of it than the beginning of a line.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
}

impl Reader {
    /// `found` is told the leases in the order of the file. What is no lease is left out, and so is a last line that is
    /// still being written.
    pub fn read(&mut self, piece: &[u8], mut found: impl FnMut(Lease)) {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LINE_BYTES_MAXIMUM - self.line.len();
            self.line.extend(&text[..text.len().min(room)]);
            if text.len() < part.len() {
                parse_line(&self.line).into_iter().for_each(&mut found);
                self.line.clear();
            }
        }
    }
}

/// All leases of a file.
#[must_use]
pub fn parse(file: &[u8]) -> Vec<Lease> {
    let mut leases = Vec::new();
    Reader::default().read(file, |lease| leases.push(lease));
    leases
}

fn parse_line(line: &[u8]) -> Option<Lease> {
    let lease = read_line(&String::from_utf8_lossy(line));
    if lease.is_none() && !line.is_empty() {
        tracing::debug!(line = %String::from_utf8_lossy(line).escape_debug(), "not a lease");
    }
    lease
}

fn read_line(line: &str) -> Option<Lease> {
    let mut fields = line.split(':');
    let transport = match fields.next()? {
        "TCP" => Transport::Tcp,
        "UDP" => Transport::Udp,
        _ => return None,
    };
    let port: NonZeroU16 = fields.next()?.parse().ok()?;
    let (first, second) = (fields.next()?, fields.next()?);
    let (address, internal_port) = if is_number(second) { (first, second) } else { (second, fields.next()?) };
    let (address, internal_port): (Ipv4Addr, NonZeroU16) =
        (address.parse().ok()?, internal_port.parse().ok()?);
    let timestamp: u64 = fields.next()?.parse().ok()?;
    // The description may be empty, but its colon is there.
    fields.next()?;
    Some(Lease {
        external: External { transport, port },
        internal: SocketAddrV4::new(address, internal_port.get()),
        expires: Some(timestamp).filter(|&timestamp| timestamp >= FIRST_DATE),
    })
}

fn is_number(field: &str) -> bool {
    !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(transport: Transport, port: u16, internal: &str, expires: Option<u64>) -> Lease {
        let external = External { transport, port: NonZeroU16::new(port).unwrap() };
        Lease { external, internal: internal.parse().unwrap(), expires }
    }

    #[test]
    fn both_formats_are_read() {
        let expected = lease(Transport::Udp, 60001, "192.168.1.10:60002", Some(1_795_343_934));
        for line in [
            "UDP:60001:192.168.1.10:60002:1795343934:moshpunch alice@server 1a2b3c4d",
            "UDP:60001:192.168.1.10:60002:1795343934:mosh:192.168.1.99:7:1:x",
            "UDP:60001:192.168.1.10:60002:1795343934:",
            "UDP:60001::192.168.1.10:60002:1795343934:mosh",
            "UDP:60001:20.0.0.9:192.168.1.10:60002:1795343934:mosh",
            "UDP:60001:*:192.168.1.10:60002:1795343934:PCP MAP 00:11",
        ] {
            assert_eq!(read_line(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn a_lease_without_an_end_or_with_what_is_no_date_has_no_known_one() {
        for timestamp in [0, 3_600, 604_800] {
            let line = format!("TCP:8022:192.168.1.10:22:{timestamp}:ssh");
            assert_eq!(
                read_line(&line),
                Some(lease(Transport::Tcp, 8022, "192.168.1.10:22", None)),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_lease_is_left_out() {
        for line in [
            "",
            "UDP",
            "UDP:60001:192.168.1.10:60002:1795343934",
            "SCTP:60001:192.168.1.10:60002:0:x",
            "UDP:0:192.168.1.10:60002:0:x",
            "UDP:70001:192.168.1.10:60002:0:x",
            "UDP:60001:192.168.1.300:60002:0:x",
            "UDP:60001:192.168.1.10:0:0:x",
            "UDP:60001:192.168.1.10:60002:soon:x",
            "UDP:60001:20.0.0.9:20.0.0.9:192.168.1.10:60002:0:x",
        ] {
            assert_eq!(read_line(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_counts_once_it_is_whole() {
        let file =
            b"UDP:60001:192.168.1.10:60001:0:a\n\xff\nUDP:60002:192.168.1.11:60001:0:\xff\xfe\nUDP:60003:1";
        let ports: Vec<_> = parse(file).iter().map(|lease| lease.external.port.get()).collect();
        assert_eq!(ports, [60001, 60002]);
        assert_eq!(parse(b"UDP:60001:192.168.1.10:60001:0:a"), []);
        assert_eq!(parse(b""), []);
    }
    #[test]
    fn a_file_may_come_in_any_pieces_and_its_lines_may_be_long() {
        let long = "x".repeat(1_000_000);
        let file = format!(
            "UDP:60001:192.168.1.10:60001:0:{long}\n{long}\nUDP:{long}\nUDP:60002:192.168.1.11:7:0:y\n"
        );
        for size in [1, 7, 4_096, file.len()] {
            let (mut reader, mut ports) = (Reader::default(), Vec::new());
            for piece in file.as_bytes().chunks(size) {
                reader.read(piece, |lease| ports.push(lease.external.port.get()));
                assert!(reader.line.capacity() <= 2 * LINE_BYTES_MAXIMUM, "{}", reader.line.capacity());
            }
            assert_eq!(ports, [60001, 60002], "{size}");
        }
    }

    #[test]
    fn what_a_description_brings_is_read_as_lines_like_any_other() {
        let forged =
            "UDP:60011:10.0.0.99:60011:1795836516:x\nTCP:443:10.0.0.66:443:0:y\nUDP:53:10.0.0.66:53:0:y\0\n";
        let told: Vec<_> = parse(forged.as_bytes()).iter().map(|lease| lease.external.to_string()).collect();
        assert_eq!(told, ["UDP port 60011", "TCP port 443", "UDP port 53"]);
    }
}
