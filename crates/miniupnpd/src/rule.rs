//! miniupnpd's permission rules: `allow 60000-60023 192.168.1.0/24 60000-60023`.
//!
//! The first rule that fits decides, and a rule fits only if external port, host and internal port all do. What no rule
//! fits is allowed. Since 2.3.2 a fifth word is a pattern, and the rule fits only a mapping whose description has it.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Allow,
    Deny,
}

/// Both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

/// All addresses that have `address`'s bits where `mask` has ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub address: Ipv4Addr,
    pub mask: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub action: Action,
    pub external: PortRange,
    pub network: Network,
    pub internal: PortRange,
    /// Whether it looks at the description, too, which is the client's own; whom it fits cannot be said.
    pub has_pattern: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("neither allow nor deny")]
    Action,
    #[error("a range of ports is FIRST-LAST or PORT, from 0 to 65535, the lower first")]
    Ports,
    #[error("a network is ADDRESS/PREFIX or ADDRESS/MASK")]
    Network,
    #[error("a rule is (allow|deny) PORTS NETWORK PORTS")]
    Words,
}

impl PortRange {
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    #[must_use]
    pub const fn new(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    #[must_use]
    pub fn count(&self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }
}

impl FromStr for PortRange {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map_err(|_| Malformed::Ports),
            false => Err(Malformed::Ports),
        };
        let range = Self { first: port(first)?, last: port(last)? };
        if range.first <= range.last { Ok(range) } else { Err(Malformed::Ports) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(formatter, "{}", self.first),
            false => write!(formatter, "{}-{}", self.first, self.last),
        }
    }
}

impl Network {
    pub const ALL: Self = Self { address: Ipv4Addr::UNSPECIFIED, mask: 0 };

    /// The network of that size in which `address` is; a length over 32 is 32.
    #[must_use]
    pub fn of(address: Ipv4Addr, prefix_length: u8) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix_length.min(32))).unwrap_or(0);
        Self { address: Ipv4Addr::from_bits(address.to_bits() & mask), mask }
    }

    #[must_use]
    pub fn host(address: Ipv4Addr) -> Self {
        Self::of(address, 32)
    }

    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.address.to_bits()) & self.mask == 0
    }

    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.mask & other.mask == self.mask && self.contains(other.address)
    }

    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.address.to_bits() ^ other.address.to_bits()) & self.mask & other.mask == 0
    }

    /// `None`: the mask is no prefix.
    fn prefix_length(&self) -> Option<u32> {
        (self.mask.leading_ones() + self.mask.trailing_zeros() == 32 || self.mask == u32::MAX)
            .then(|| self.mask.leading_ones())
    }
}

impl FromStr for Network {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (address, mask) = text.split_once('/').unwrap_or((text, "32"));
        let address: Ipv4Addr = address.parse().map_err(|_| Malformed::Network)?;
        let mask = match mask.parse::<Ipv4Addr>() {
            Ok(mask) => mask.to_bits(),
            Err(_) => {
                let length = mask.parse().ok().filter(|length| *length <= 32).ok_or(Malformed::Network)?;
                Self::of(address, length).mask
            }
        };
        Ok(Self { address, mask })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix_length() {
            Some(length) => write!(formatter, "{}/{length}", self.address),
            None => write!(formatter, "{}/{}", self.address, Ipv4Addr::from_bits(self.mask)),
        }
    }
}

impl Rule {
    #[must_use]
    pub fn allow(ports: PortRange, network: Network) -> Self {
        Self { action: Action::Allow, external: ports, network, internal: ports, has_pattern: false }
    }

    /// The line with which a list of rules should end.
    #[must_use]
    pub fn deny_all() -> Self {
        Self {
            action: Action::Deny,
            external: PortRange::ALL,
            network: Network::ALL,
            internal: PortRange::ALL,
            has_pattern: false,
        }
    }

    /// Whatever the description is, if it has a pattern.
    #[must_use]
    pub fn fits(&self, external: u16, host: Ipv4Addr, internal: u16) -> bool {
        self.external.contains(external) && self.internal.contains(internal) && self.network.contains(host)
    }

    /// Whether this rule fits whatever `other` fits.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        !self.has_pattern
            && self.external.covers(&other.external)
            && self.internal.covers(&other.internal)
            && self.network.covers(&other.network)
    }

    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.external.overlaps(&other.external)
            && self.internal.overlaps(&other.internal)
            && self.network.overlaps(&other.network)
    }
}

impl FromStr for Rule {
    type Err = Malformed;

    /// As miniupnpd reads it: no space is needed after the first word, and what stands behind the fifth is ignored.
    fn from_str(line: &str) -> Result<Self, Malformed> {
        let line = line.trim();
        let allowed = line.strip_prefix("allow").map(|rest| (Action::Allow, rest));
        let (action, rest) = allowed
            .or_else(|| line.strip_prefix("deny").map(|rest| (Action::Deny, rest)))
            .ok_or(Malformed::Action)?;
        let words: Vec<_> = rest.split_whitespace().collect();
        let [external, network, internal, ref further @ ..] = words[..] else { return Err(Malformed::Words) };
        let has_pattern = further.first().is_some_and(|word| !word.starts_with('#') && !EMPTY.contains(word));
        Ok(Self {
            action,
            external: external.parse()?,
            network: network.parse()?,
            internal: internal.parse()?,
            has_pattern,
        })
    }
}

/// A pattern that is none.
const EMPTY: [&str; 2] = ["\"\"", "''"];

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
        };
        let pattern = if self.has_pattern { " …" } else { "" };
        write!(formatter, "{action} {} {} {}{pattern}", self.external, self.network, self.internal)
    }
}

/// Whether `host` may map `external` to its port `internal`, with a description that no pattern fits.
#[must_use]
pub fn allows(rules: &[Rule], external: u16, host: Ipv4Addr, internal: u16) -> bool {
    let first = rules.iter().find(|rule| !rule.has_pattern && rule.fits(external, host, internal));
    first.is_none_or(|rule| rule.action == Action::Allow)
}

/// Whether some description lets `host` map `external` to its port `internal`.
#[must_use]
pub fn may_allow(rules: &[Rule], external: u16, host: Ipv4Addr, internal: u16) -> bool {
    let decides = |rule: &&Rule| !(rule.has_pattern && rule.action == Action::Deny);
    let first = rules.iter().filter(decides).find(|rule| rule.fits(external, host, internal));
    first.is_none_or(|rule| rule.action == Action::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(lines: &[&str]) -> Vec<Rule> {
        lines.iter().map(|line| line.parse().unwrap()).collect()
    }

    #[test]
    fn rules_are_read_as_miniupnpd_reads_them() {
        for (line, expected) in [
            ("allow 60000-60023 192.168.1.0/24 60000-60023", "allow 60000-60023 192.168.1.0/24 60000-60023"),
            ("  allow\t12345  192.168.7.113/32 54321 ", "allow 12345 192.168.7.113/32 54321"),
            ("deny 0-65535 0.0.0.0/0 0-65535", "deny 0-65535 0.0.0.0/0 0-65535"),
            ("deny0-1 10.0.0.1 0-1", "deny 0-1 10.0.0.1/32 0-1"),
            ("allow 1 192.168.1.7/255.255.255.0 1 \"mosh\"", "allow 1 192.168.1.7/24 1 …"),
            ("allow 1 192.168.1.7 1 # mosh", "allow 1 192.168.1.7/32 1"),
            ("allow 1 192.168.1.7 1 \"\"", "allow 1 192.168.1.7/32 1"),
            ("allow 1 192.168.1.7/255.0.255.0 1", "allow 1 192.168.1.7/255.0.255.0 1"),
        ] {
            assert_eq!(line.parse::<Rule>().unwrap().to_string(), expected, "{line}");
        }
    }

    #[test]
    fn what_miniupnpd_does_not_start_with_is_malformed() {
        for (line, expected) in [
            ("permit 1 10.0.0.1 1", Malformed::Action),
            ("allow 1 10.0.0.1", Malformed::Words),
            ("allow 2-1 10.0.0.1 1", Malformed::Ports),
            ("allow 1-65536 10.0.0.1 1", Malformed::Ports),
            ("allow +1 10.0.0.1 1", Malformed::Ports),
            ("allow 1 10.0.0.1/33 1", Malformed::Network),
            ("allow 1 lan0 1", Malformed::Network),
        ] {
            assert_eq!(line.parse::<Rule>(), Err(expected), "{line}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_both_ports_count() {
        let host = "192.168.1.10".parse().unwrap();
        let write_up = ["allow 60000-60023 192.168.1.0/24 60000-60023", "deny 0-65535 0.0.0.0/0 0-65535"];
        let reversed = [write_up[1], write_up[0]];
        assert!(allows(&rules(&write_up), 60001, host, 60001));
        assert!(!allows(&rules(&write_up), 60001, host, 60024));
        assert!(!allows(&rules(&write_up), 60024, host, 60001));
        assert!(!allows(&rules(&write_up), 60001, "192.168.2.10".parse().unwrap(), 60001));
        assert!(!allows(&rules(&reversed), 60001, host, 60001));
        assert!(allows(&rules(&write_up[..1]), 22, host, 22), "what no rule fits is allowed");
    }

    #[test]
    fn whom_a_pattern_fits_cannot_be_said() {
        let host = "192.168.1.10".parse().unwrap();
        let rules = |text: [&str; 3]| rules(&text);
        let denies =
            rules(["deny 0-65535 0.0.0.0/0 0-65535 torrent", "allow 60001 0.0.0.0/0 60001", DENY_ALL]);
        assert!(allows(&denies, 60001, host, 60001) && may_allow(&denies, 60001, host, 60001));
        assert!(!may_allow(&denies, 60002, host, 60002));
        assert!(!denies[0].covers(&Rule::deny_all()));
        let allows_some = rules(["allow 60001 0.0.0.0/0 60001 'mosh'", DENY_ALL, DENY_ALL]);
        assert!(!allows(&allows_some, 60001, host, 60001) && may_allow(&allows_some, 60001, host, 60001));
    }

    const DENY_ALL: &str = "deny 0-65535 0.0.0.0/0 0-65535";

    #[test]
    fn networks_cover_and_overlap() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let (home, host, other) = (network("192.168.1.9/24"), network("192.168.1.10"), network("10.0.0.0/8"));
        assert!(home.covers(&host) && !host.covers(&home) && Network::ALL.covers(&home));
        assert!(host.overlaps(&home) && !other.overlaps(&home) && other.overlaps(&Network::ALL));
        assert_eq!(Network::of("192.168.1.9".parse().unwrap(), 24).to_string(), "192.168.1.0/24");
        assert_eq!(Network::of("192.168.1.9".parse().unwrap(), 0).to_string(), "0.0.0.0/0");
    }
}
