//! What the lease file claims, as far as it concerns the guard.
//!
//! Whoever may map one port can write any line there, so what is kept is bounded by the guard's own ports, not by the file.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddrV4;
use std::num::NonZeroU16;
use std::time::Duration;

use crate::lease_file::{self, Lease};
use crate::mapping::Transport;
use crate::rule::{self, PortRange, Rule};

/// Whose lines are listened to.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Those that a mosh-server of this router may take.
    pub ports: PortRange,
    /// miniupnpd's, in the order of its file.
    pub rules: Vec<Rule>,
    /// Whether rules for clients inside are made, which other ports concern, too.
    pub hairpin: bool,
}

impl Scope {
    /// Whether a mapping of this port is held.
    #[must_use]
    pub fn holds(&self, transport: Transport, port: NonZeroU16) -> bool {
        transport == Transport::Udp && self.ports.contains(port.get())
    }

    /// miniupnpd does not make what its rules forbid.
    fn permits(&self, lease: &Lease) -> bool {
        let (host, port) = (*lease.internal.ip(), lease.internal.port());
        rule::may_allow(&self.rules, lease.external.port.get(), host, port)
    }
}

/// A port of the guard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) internal: SocketAddrV4,
    /// How long it stays a claim; `None`: for as long as it is there.
    pub(super) left: Option<Duration>,
}

/// Made of one reading of the file.
#[derive(Debug)]
pub struct Claims {
    unix_now: u64,
    pub(super) ports: BTreeMap<NonZeroU16, Claim>,
    /// The same for the same set of mappings, in any order and with any ends.
    pub(super) fingerprint: u64,
    pub(super) is_whole: bool,
    reader: lease_file::Reader,
}

impl Claims {
    /// `unix_now` is in seconds since 1970.
    #[must_use]
    pub fn at(unix_now: u64) -> Self {
        let reader = lease_file::Reader::default();
        Self { unix_now, ports: BTreeMap::new(), fingerprint: 0, is_whole: true, reader }
    }

    /// The next piece of the file.
    pub fn read(&mut self, piece: &[u8], scope: &Scope) {
        let mut reader = std::mem::take(&mut self.reader);
        reader.read(piece, |lease| self.add(&lease, scope));
        self.reader = reader;
    }

    /// There is more in the file, which is not read.
    pub fn cut_off(&mut self) {
        self.is_whole = false;
    }

    pub(super) fn add(&mut self, lease: &Lease, scope: &Scope) {
        let is_over = lease.expires.is_some_and(|expires| expires <= self.unix_now);
        let is_held = scope.holds(lease.external.transport, lease.external.port);
        if is_over || !(is_held || scope.hairpin) || !scope.permits(lease) {
            return;
        }
        let mut hasher = DefaultHasher::new();
        (lease.external.transport, lease.external.port, lease.internal).hash(&mut hasher);
        self.fingerprint = self.fingerprint.wrapping_add(hasher.finish());
        if is_held {
            let left = lease.expires.map(|expires| Duration::from_secs(expires - self.unix_now));
            let claim = self.ports.entry(lease.external.port);
            let claim = claim.or_insert(Claim { internal: lease.internal, left });
            // Of several, the one that lasts longest.
            claim.left = claim.left.zip(left).map(|(one, other)| one.max(other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIX_NOW: u64 = 1_795_343_934;

    fn scope(hairpin: bool) -> Scope {
        let rules = ["allow 60000-60023 192.168.1.0/24 60000-60023", "deny 0-65535 0.0.0.0/0 0-65535"];
        let rules = rules.map(|rule| rule.parse().unwrap()).to_vec();
        Scope { ports: PortRange::new(60001, 60999), rules, hairpin }
    }

    fn claims(scope: &Scope, file: &str) -> Claims {
        let mut claims = Claims::at(UNIX_NOW);
        claims.read(file.as_bytes(), scope);
        claims
    }

    fn ports(claims: &Claims) -> Vec<u16> {
        claims.ports.keys().map(|port| port.get()).collect()
    }

    #[test]
    fn only_what_miniupnpd_permits_and_a_mosh_server_may_take_is_a_claim() {
        for line in [
            "UDP:53:192.168.1.66:53:0:y",
            "UDP:51820:192.168.1.66:51820:0:y",
            "TCP:60001:192.168.1.66:60001:0:y",
            "TCP:443:10.0.0.66:443:0:y",
            "UDP:60001:10.0.0.66:60001:0:y",
            "UDP:60001:192.168.1.66:53:0:y",
            "UDP:60024:192.168.1.66:60024:0:y",
            "UDP:60000:192.168.1.66:60001:0:y",
            "UDP:60001:192.168.1.66:60001:1795343934:it is over",
        ] {
            let claims = claims(&scope(false), &format!("{line}\n"));
            assert_eq!((ports(&claims), claims.fingerprint), (vec![], 0), "{line}");
        }
        assert_eq!(ports(&claims(&scope(false), "UDP:60001:192.168.1.66:60002:0:y\n")), [60001]);
    }

    #[test]
    fn what_a_pattern_may_let_by_is_a_claim() {
        let of = |lines: [&str; 2]| {
            let rules = lines.map(|line| line.parse().unwrap()).to_vec();
            let scope = Scope { rules, ..scope(false) };
            ports(&claims(&scope, "UDP:60001:192.168.1.10:60001:0:y\n"))
        };
        let denial = "deny 0-65535 0.0.0.0/0 0-65535";
        assert_eq!(of(["deny 0-65535 0.0.0.0/0 0-65535 torrent", "allow 1 10.0.0.1 1"]), [60001]);
        assert_eq!(of(["allow 60001 192.168.1.10 60001 'mosh'", denial]), [60001]);
        assert_eq!(of(["deny 60001 192.168.1.10 60001", "allow 1 10.0.0.1 1"]), [0_u16; 0]);
    }

    #[test]
    fn rules_for_clients_inside_concern_every_port_that_is_permitted() {
        let tcp = "TCP:60001:192.168.1.10:60001:0:y\n";
        assert_eq!(claims(&scope(false), tcp).fingerprint, 0);
        let followed = claims(&scope(true), tcp);
        assert!(followed.fingerprint != 0 && followed.ports.is_empty());
        assert_eq!(claims(&scope(true), "TCP:443:10.0.0.66:443:0:y\n").fingerprint, 0);
    }

    #[test]
    fn the_fingerprint_is_that_of_a_set() {
        let (one, other) = ("UDP:60001:192.168.1.10:60001:0:a\n", "UDP:60002:192.168.1.10:60001:0:a\n");
        let print = |lines: &[&str]| claims(&scope(false), &lines.concat()).fingerprint;
        assert_eq!(print(&[one, other]), print(&[other, one]));
        assert_ne!(print(&[one]), print(&[one, one]));
        assert_eq!(print(&[one]), print(&["UDP:60001:192.168.1.10:60001:1795349999:renewed\n"]));
        assert_ne!(print(&[one]), print(&["UDP:60001:192.168.1.11:60001:0:a\n"]));
    }

    #[test]
    fn of_several_lines_for_a_port_the_longest_holds() {
        let line = |end| format!("UDP:60001:192.168.1.10:60001:{end}:a\n");
        let left =
            |lines: &[String]| claims(&scope(false), &lines.concat()).ports.pop_first().unwrap().1.left;
        let (short, long) = (line(UNIX_NOW + 1), line(UNIX_NOW + 9));
        assert_eq!(left(&[short.clone(), long.clone()]), Some(Duration::from_secs(9)));
        assert_eq!(left(&[long, short.clone()]), Some(Duration::from_secs(9)));
        assert_eq!(left(&[line(0), short]), None);
    }

    #[test]
    fn however_many_lines_there_are_the_claims_are_no_more_than_the_ports() {
        let line = |number: u32| {
            let (port, host) = (60000 + number % 24, number % 256);
            format!("UDP:{port}:192.168.1.{host}:60001:0:y\nUDP:{}:10.0.0.1:5:0:y\n", number % 65536)
        };
        let file: String = (0..100_000).map(line).collect();
        assert_eq!(ports(&claims(&scope(false), &file)), (60001..=60023).collect::<Vec<_>>());
    }
}
