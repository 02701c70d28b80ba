//! miniupnpd's redirections in the firewall, read from what `nft list ruleset` prints.
//!
//! The backend for iptables makes such rules too, where iptables is the one on top of nftables. How a rule is written
//! differs with the backend and the version of nft:
//!
//! ```text
//! iif "wan0" @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60002
//! iifname "wan0" meta l4proto udp udp dport 60001 counter packets 0 bytes 0 dnat to 192.168.1.10:60002
//! ```
//!
//! No text of a client's is in it: miniupnpd 2.3.1 keeps the description with the rule, but nft shows no such data.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::num::NonZeroU16;

use crate::hairpin;
use crate::mapping::{External, Mappings, Transport};

/// The source in the header of IPv4, as nft writes what it has no name for.
const SOURCE_BITS: &str = "@nh,96,32";

/// Behind these stands the protocol; miniupnpd 2.3.1 matches it as a byte of the header.
const PROTOCOL: [&str; 3] = ["@nh,72,8", "protocol", "l4proto"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the firewall redirects for miniupnpd; `None` if it has no chain of miniupnpd, where the rules may be in a
    /// firewall that nft does not show.
    pub mappings: Option<Mappings>,
    /// Those of them that are for one host outside alone.
    pub limited: BTreeSet<External>,
    /// Whether the table that [`hairpin`] makes is there.
    pub has_hairpin_table: bool,
}

impl Reading {
    #[must_use]
    pub fn parse(ruleset: &str, chains: &[String]) -> Self {
        let mut reading = Self::default();
        let mut inside = false;
        for line in ruleset.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("chain ").and_then(|rest| rest.strip_suffix(" {")) {
                inside = chains.iter().any(|chain| chain == name);
                if inside {
                    reading.mappings.get_or_insert_default();
                }
            } else if line == "}" {
                inside = false;
            } else if line == format!("table {} {{", hairpin::TABLE) {
                reading.has_hairpin_table = true;
            } else if inside && let Some((external, internal)) = redirection(line) {
                // Of several rules the first decides.
                reading.mappings.get_or_insert_default().entry(external).or_insert(internal);
                if is_limited(line) {
                    reading.limited.insert(external);
                }
            }
        }
        reading
    }

    /// What whoever is outside comes to.
    #[must_use]
    pub fn for_everybody(&self) -> Mappings {
        let mut mappings = self.mappings.clone().unwrap_or_default();
        mappings.retain(|external, _| !self.limited.contains(external));
        mappings
    }
}

fn redirection(rule: &str) -> Option<(External, SocketAddrV4)> {
    // A comment is a client's own text.
    let rule = rule.split(" comment ").next()?;
    let words: Vec<&str> = rule.split_whitespace().collect();
    let after = |wanted: &str| words.iter().position(|word| *word == wanted).map(|at| &words[at + 1..]);
    let said = PROTOCOL.iter().find_map(|name| transport(after(name)?.first()?));
    let of_header = || transport(words[..words.iter().position(|word| *word == "dport")?].last()?);
    let transport = said.or_else(of_header)?;
    let port: NonZeroU16 = after("dport")?.first()?.parse().ok()?;
    let target = after("dnat")?;
    let at = target.iter().position(|word| *word == "to")?;
    Some((External { transport, port }, target.get(at + 1)?.parse().ok()?))
}

/// Whether it looks at where a datagram comes from.
fn is_limited(rule: &str) -> bool {
    let rule = rule.split(" comment ").next().unwrap_or_default();
    rule.split_whitespace().any(|word| word == "saddr" || word == SOURCE_BITS)
}

fn transport(word: &str) -> Option<Transport> {
    match word {
        "udp" | "0x11" | "17" => Some(Transport::Udp),
        "tcp" | "0x6" | "6" => Some(Transport::Tcp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings(expected: &[(Transport, u16, &str)]) -> Mappings {
        let mapping = |&(transport, port, internal): &(Transport, u16, &str)| {
            let external = External { transport, port: NonZeroU16::new(port).unwrap() };
            (external, internal.parse().unwrap())
        };
        expected.iter().map(mapping).collect()
    }

    #[test]
    fn a_redirection_is_read_however_nft_prints_it() {
        for rule in [
            "iif \"wan0\" @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60002",
            "iif \"wan0\" @nh,96,32 0x6 @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60002",
            "iif 6 @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60002",
            "iif \"wan0\" ip protocol udp th dport 60001 dnat ip to 192.168.1.10:60002",
            "iifname \"wan0\" meta l4proto udp udp dport 60001 counter packets 6 bytes 17 dnat to 192.168.1.10:60002",
            "iifname \"wan0\" udp dport 60001 dnat to 192.168.1.10:60002 comment \"tcp dport 7 dnat to 1.2.3.4:5\"",
        ] {
            let read = redirection(rule).map(|pair| Mappings::from([pair]));
            assert_eq!(read, Some(mappings(&[(Transport::Udp, 60001, "192.168.1.10:60002")])), "{rule}");
        }
    }

    #[test]
    fn other_rules_are_none() {
        for rule in [
            "",
            "jump prerouting_miniupnpd",
            "iifname \"wan0\" udp dport 60001 accept",
            "iifname \"wan0\" dnat to 192.168.1.10:60002",
            "iifname \"wan0\" udp dport 60001 dnat to 192.168.1.10",
            "iifname \"wan0\" udp dport",
            "dnat",
        ] {
            assert_eq!(redirection(rule), None, "{rule}");
        }
    }

    const RULESET: &str = "\
table inet lab {
\tchain prerouting {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tiifname \"wan0\" tcp dport 8022 dnat ip to 192.168.1.10:22
\t\tjump upnp_prerouting
\t}

\tchain upnp_prerouting {
\t\tiif \"wan0\" @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60001
\t\tiif \"wan0\" @nh,72,8 0x6 th dport 8023 dnat ip to 192.168.1.11:22
\t}

\tchain upnp_postrouting {
\t}
}
";

    #[test]
    fn only_the_chain_of_miniupnpd_counts() {
        let chain = |name: &str| Reading::parse(RULESET, &[name.to_owned()]).mappings;
        let expected =
            [(Transport::Udp, 60001, "192.168.1.10:60001"), (Transport::Tcp, 8023, "192.168.1.11:22")];
        assert_eq!(chain("upnp_prerouting"), Some(mappings(&expected)));
        assert_eq!(chain("upnp_postrouting"), Some(Mappings::new()));
        assert_eq!(chain("MINIUPNPD"), None);
    }

    #[test]
    fn what_is_for_one_host_outside_is_not_for_everybody() {
        let rules = "chain upnp {\n\
            \tiif \"wan0\" @nh,96,32 0x1400004d @nh,72,8 0x11 th dport 60001 dnat ip to 192.168.1.10:60001\n\
            \tiifname \"wan0\" ip saddr 20.0.0.77 udp dport 60002 dnat to 192.168.1.10:60002\n\
            \tiifname \"wan0\" udp dport 60003 dnat to 192.168.1.10:60003 comment \"saddr\"\n\
            \tiifname \"wan0\" udp dport 60003 dnat to 192.168.1.11:60003\n}\n";
        let reading = Reading::parse(rules, &["upnp".to_owned()]);
        assert_eq!(reading.mappings.as_ref().map(Mappings::len), Some(3));
        let expected = mappings(&[(Transport::Udp, 60003, "192.168.1.10:60003")]);
        assert_eq!(reading.for_everybody(), expected, "of two rules the first decides");
    }

    #[test]
    fn the_hairpin_table_is_noticed() {
        assert!(!Reading::parse(RULESET, &[]).has_hairpin_table);
        let with = format!("{RULESET}table inet moshpunch_guard {{\n}}\n");
        assert!(Reading::parse(&with, &[]).has_hairpin_table);
    }
}
