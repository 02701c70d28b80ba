//! What miniupnpd.conf says, to the miniupnpd that is installed.

mod bad_lines;
mod watched;

pub use self::bad_lines::{BadLine, Objection};
pub use self::watched::{Unusable, Watched};

use crate::build::{Build, Knows, READS_PATTERNS, SECURE_BY_DEFAULT};
use crate::document::Document;
use crate::rule::Rule;
use crate::ruleset::ChainName;

/// Its own defaults (nftables, since 2.3.0).
const DEFAULT_TABLE: &str = "filter";
const DEFAULT_FORWARD_CHAIN: &str = "miniupnpd";
const DEFAULT_PREROUTING_CHAIN: &str = "prerouting_miniupnpd";
const DEFAULT_POSTROUTING_CHAIN: &str = "postrouting_miniupnpd";

/// Two names of one; every version knows the first.
pub const PCP: &str = "enable_natpmp";
pub const PCP_TOO: &str = "enable_pcp_pmp";

pub const TABLE: &str = "upnp_table_name";

/// With it miniupnpd's rules for IPv4 are in tables of the family `ip`.
pub const FAMILY_SPLIT: &str = "upnp_nftables_family_split";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    document: Document,
}

/// Where miniupnpd puts its rules for IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainNames {
    /// Of both tables, `inet` or `ip`.
    pub family: &'static str,
    pub table: String,
    pub nat_table: String,
    pub forward: String,
    pub prerouting: String,
    pub postrouting: String,
}

impl ChainNames {
    #[must_use]
    pub fn forward(&self) -> ChainName {
        ChainName::new(self.family, &self.table, &self.forward)
    }

    #[must_use]
    pub fn prerouting(&self) -> ChainName {
        ChainName::new(self.family, &self.nat_table, &self.prerouting)
    }

    #[must_use]
    pub fn postrouting(&self) -> ChainName {
        ChainName::new(self.family, &self.nat_table, &self.postrouting)
    }
}

impl Configuration {
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        Self { document: Document::parse(bytes) }
    }

    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// `None`: not said, or said to be nothing.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<String> {
        self.document.value(name).filter(|value| !value.is_empty())
    }

    #[must_use]
    pub fn listening(&self) -> Vec<String> {
        let values = self.document.values("listening_ip");
        // Further words of a line are the external address or the ports of a bridge.
        values.iter().filter_map(|value| value.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// miniupnpd never takes a `yes` back.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.document.values(name).iter().any(|value| value == "yes")
    }

    /// By either name, if it is one that this miniupnpd knows; a number will do.
    #[must_use]
    pub fn speaks_pcp(&self, build: &Build) -> bool {
        let is_on = |value: &String| value == "yes" || is_number_but_0(value);
        [PCP, PCP_TOO]
            .into_iter()
            .any(|name| build.knows(name) != Knows::No && self.document.values(name).iter().any(is_on))
    }

    /// On, until a line says otherwise; no other brings it back.
    #[must_use]
    pub fn speaks_upnp(&self) -> bool {
        self.document.values("enable_upnp").iter().all(|value| value == "yes")
    }

    /// Whether a host may map ports to itself only. `None`: versions differ in what these lines mean.
    #[must_use]
    pub fn is_secure(&self, build: &Build) -> Option<bool> {
        let said = |word| self.document.values("secure_mode").iter().any(|value| value == word);
        let (until_then, since) = (said("yes"), !said("no"));
        match build.is_since(SECURE_BY_DEFAULT) {
            Some(true) => Some(since),
            Some(false) => Some(until_then),
            None => (until_then == since).then_some(since),
        }
    }

    /// `None`: another one at each start.
    #[must_use]
    pub fn http_port(&self) -> Option<u16> {
        let last = |name| self.document.settings(name).next_back();
        let said = [last("http_port"), last("port")].into_iter().flatten().max_by_key(|(line, _)| *line);
        said.and_then(|(_, port)| port.parse().ok()).filter(|port| *port != 0)
    }

    /// `None`: this miniupnpd cannot be told its table of nftables, and which are its own is not known here.
    #[must_use]
    pub fn chain_names(&self, build: &Build) -> Option<ChainNames> {
        if build.knows(TABLE) == Knows::No {
            return None;
        }
        let name = |option, default: &str| self.option(option).unwrap_or_else(|| default.to_owned());
        let is_split = self.is_on(FAMILY_SPLIT) && build.knows(FAMILY_SPLIT) != Knows::No;
        Some(ChainNames {
            family: if is_split { "ip" } else { "inet" },
            table: name(TABLE, DEFAULT_TABLE),
            nat_table: name("upnp_nat_table_name", DEFAULT_TABLE),
            forward: name("upnp_forward_chain", DEFAULT_FORWARD_CHAIN),
            prerouting: name("upnp_nat_chain", DEFAULT_PREROUTING_CHAIN),
            postrouting: name("upnp_nat_postrouting_chain", DEFAULT_POSTROUTING_CHAIN),
        })
    }

    /// The lines of the rules that can be read.
    pub fn rule_lines(&self, build: &Build) -> impl DoubleEndedIterator<Item = (usize, Rule)> {
        let reads_patterns = build.is_since(READS_PATTERNS) != Some(false);
        let lines = self.document.lines().filter(|(_, line)| is_rule(line));
        lines.filter_map(move |(index, line)| {
            let rule: Rule = line.parse().ok()?;
            Some((index, Rule { has_pattern: rule.has_pattern && reads_patterns, ..rule }))
        })
    }

    #[must_use]
    pub fn rules(&self, build: &Build) -> Vec<Rule> {
        self.rule_lines(build).map(|(_, rule)| rule).collect()
    }
}

/// So does miniupnpd tell rules from options.
fn is_rule(line: &str) -> bool {
    line.len() > 6 && (line.starts_with("allow") || line.starts_with("deny"))
}

/// As C's atoi(3) reads it.
fn is_number_but_0(value: &str) -> bool {
    let value = value.trim_start();
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    let number = digits.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
    number.bytes().any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Configuration {
        Configuration::parse(text.as_bytes())
    }

    fn build(version: &str) -> Build {
        Build::parse(&format!("miniupnpd {version} Jan  1 2026\n"))
    }

    const VERSIONS: [&str; 4] = ["2.2.1", "2.3.1", "2.3.4", "2.3.11"];

    #[test]
    fn the_last_value_holds_but_a_yes_is_never_taken_back() {
        let configuration =
            read("ext_ifname=a\n ext_ifname = b \nsystem_uptime=yes\nsystem_uptime=no\nuuid=\n");
        assert_eq!(configuration.option("ext_ifname").as_deref(), Some("b"));
        assert!(configuration.is_on("system_uptime"));
        assert_eq!(configuration.option("uuid"), None);
    }

    #[test]
    fn whether_hosts_map_for_others_depends_on_the_version() {
        for (text, before_2_3_4, since, unknown) in [
            ("", false, true, None),
            ("secure_mode=yes\n", true, true, Some(true)),
            ("secure_mode=no\n", false, false, Some(false)),
            ("secure_mode=yes\nsecure_mode=no\n", true, false, None),
            ("secure_mode=no\nsecure_mode=yes\r\n", true, false, None),
            ("secure_mode=\"yes\"\n", false, true, None),
            ("secure_mode=No # please\n", false, true, None),
            ("#secure_mode=no\n", false, true, None),
        ] {
            let secure = |build: &Build| read(text).is_secure(build);
            let by_version = VERSIONS.map(|version| secure(&build(version)));
            assert_eq!(by_version, [before_2_3_4, before_2_3_4, since, since].map(Some), "{text}");
            assert_eq!(secure(&Build::default()), unknown, "{text}");
        }
    }

    #[test]
    fn both_names_of_an_option_are_known_to_who_knows_them() {
        let speaks = |text: &str, version: &str| read(text).speaks_pcp(&build(version));
        for version in VERSIONS {
            assert!(speaks("enable_natpmp=yes\nenable_natpmp=no\n", version), "{version}");
            assert!(speaks("enable_natpmp=1\n", version), "{version}");
            for off in ["#enable_natpmp=yes\n", "enable_natpmp=0\n", "enable_natpmp=on\n", ""] {
                assert!(!speaks(off, version), "{version} {off}");
            }
        }
        let by_version = VERSIONS.map(|version| speaks("enable_pcp_pmp=yes\n", version));
        assert_eq!(by_version, [false, false, true, true]);
        assert!(read("enable_pcp_pmp=yes\n").speaks_pcp(&Build::default()));
    }

    #[test]
    fn upnp_is_on_until_a_line_says_otherwise() {
        assert!(read("").speaks_upnp() && read("enable_upnp=yes\n").speaks_upnp());
        assert!(!read("enable_upnp=no\n").speaks_upnp());
        assert!(!read("enable_upnp=no\nenable_upnp=yes\n").speaks_upnp());
    }

    #[test]
    fn both_names_of_the_http_port_are_known() {
        assert_eq!(read("port=5000\n").http_port(), Some(5000));
        assert_eq!(read("port=5000\nhttp_port=6000\n").http_port(), Some(6000));
        assert_eq!(read("http_port=0\n").http_port(), None);
    }

    #[test]
    fn the_family_of_the_tables_is_split_by_who_knows_how() {
        let family = |text: &str, version| Some(read(text).chain_names(&build(version))?.family);
        let split = |text| VERSIONS.map(|version| family(text, version));
        assert_eq!(split("upnp_nftables_family_split=yes\n"), [None, Some("inet"), Some("inet"), Some("ip")]);
        assert_eq!(
            split("upnp_nftables_family_split=no\n"),
            [None, Some("inet"), Some("inet"), Some("inet")]
        );
        let names = read("upnp_nftables_family_split=yes\nupnp_nat_table_name=nat\n")
            .chain_names(&build("2.3.6"))
            .unwrap();
        assert_eq!(names.forward().to_string(), "miniupnpd of the table ip filter");
        assert_eq!(names.prerouting().to_string(), "prerouting_miniupnpd of the table ip nat");
        assert_eq!(names.postrouting().to_string(), "postrouting_miniupnpd of the table ip nat");
    }

    #[test]
    fn further_words_of_what_is_listened_on_are_no_part_of_it() {
        assert_eq!(read("listening_ip=lan0 x\n").listening(), ["lan0"]);
    }
}
