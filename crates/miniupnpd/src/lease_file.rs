//! The file in which miniupnpd notes its IPv4 mappings, so that they survive its restart.
//!
//! One line a mapping, `PROTO:eport:iaddr:iport:timestamp:description` until version 2.3.11. Later ones name the remote
//! host, too: `PROTO:eport:rhost:iaddr:iport:timestamp:description`. The description is the client's own and may hold
//! colons, so what tells the two apart is the field that is either the internal port or an address.
//!
//! A mapping is added by appending its line. To remove one, the file is written anew beside the old one, which is then
//! replaced by a rename. A renewal is both, one after the other.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;

use crate::mapping::{External, Transport};

/// No more than this of a file is read: a line for each port of both transports, with room to spare.
pub const BYTES_MAXIMUM: u64 = 16 * 1024 * 1024;

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

/// The leases in the order of the file. What is no lease is left out, and so is a last line that is still being written.
#[must_use]
pub fn parse(file: &[u8]) -> Vec<Lease> {
    let whole = file.iter().rposition(|&byte| byte == b'\n').map_or(&[][..], |end| &file[..end]);
    let lines = whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Lease> {
    let lease = read_line(&String::from_utf8_lossy(line));
    if lease.is_none() {
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
}
