//! What miniupnpd.conf says.

mod watched;

pub use self::watched::{Unusable, Watched};

use crate::document::Document;
use crate::rule::{Malformed, Rule};

/// Its own defaults (2.3.1, nftables).
const DEFAULT_TABLE: &str = "filter";
const DEFAULT_FORWARD_CHAIN: &str = "miniupnpd";
const DEFAULT_PREROUTING_CHAIN: &str = "prerouting_miniupnpd";
const DEFAULT_POSTROUTING_CHAIN: &str = "postrouting_miniupnpd";

/// Until version 2.3.3, and since.
const PCP_OPTIONS: [&str; 2] = ["enable_natpmp", "enable_pcp_pmp"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    document: Document,
}

/// Where miniupnpd puts its rules. The tables are of the family `inet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainNames {
    pub table: String,
    pub nat_table: String,
    pub forward: String,
    pub prerouting: String,
    pub postrouting: String,
}

/// A line that miniupnpd does not start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1 on.
    pub number: usize,
    pub text: String,
    /// `None`: it is no rule, and has no `=`.
    pub rule: Option<Malformed>,
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

    #[must_use]
    pub fn speaks_pcp(&self) -> bool {
        PCP_OPTIONS.iter().any(|name| self.is_on(name))
    }

    /// On, unless said otherwise.
    #[must_use]
    pub fn speaks_upnp(&self) -> bool {
        self.document.value("enable_upnp").is_none_or(|value| value == "yes")
    }

    /// `None`: another one at each start.
    #[must_use]
    pub fn http_port(&self) -> Option<u16> {
        let last = |name| self.document.settings(name).next_back();
        let said = [last("http_port"), last("port")].into_iter().flatten().max_by_key(|(line, _)| *line);
        said.and_then(|(_, port)| port.parse().ok()).filter(|port| *port != 0)
    }

    #[must_use]
    pub fn chain_names(&self) -> ChainNames {
        let name = |option, default: &str| self.option(option).unwrap_or_else(|| default.to_owned());
        ChainNames {
            table: name("upnp_table_name", DEFAULT_TABLE),
            nat_table: name("upnp_nat_table_name", DEFAULT_TABLE),
            forward: name("upnp_forward_chain", DEFAULT_FORWARD_CHAIN),
            prerouting: name("upnp_nat_chain", DEFAULT_PREROUTING_CHAIN),
            postrouting: name("upnp_nat_postrouting_chain", DEFAULT_POSTROUTING_CHAIN),
        }
    }

    /// The lines of the rules that can be read.
    pub fn rule_lines(&self) -> impl DoubleEndedIterator<Item = (usize, Rule)> {
        let lines = self.document.lines().filter(|(_, line)| is_rule(line));
        lines.filter_map(|(index, line)| Some((index, line.parse().ok()?)))
    }

    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.rule_lines().map(|(_, rule)| rule).collect()
    }

    pub fn bad_lines(&self) -> impl Iterator<Item = BadLine> {
        self.document.lines().filter_map(|(index, text)| bad_line(index + 1, text))
    }
}

/// So does miniupnpd tell rules from options.
fn is_rule(line: &str) -> bool {
    line.len() > 6 && (line.starts_with("allow") || line.starts_with("deny"))
}

fn bad_line(number: usize, text: String) -> Option<BadLine> {
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let rule = match is_rule(&text) {
        true => Some(text.parse::<Rule>().err()?),
        false if text.contains('=') => return None,
        false => None,
    };
    Some(BadLine { number, text, rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Configuration {
        Configuration::parse(text.as_bytes())
    }

    #[test]
    fn the_last_value_holds_but_a_yes_is_never_taken_back() {
        let configuration = read("ext_ifname=a\n ext_ifname = b \nsecure_mode=yes\nsecure_mode=no\nuuid=\n");
        assert_eq!(configuration.option("ext_ifname").as_deref(), Some("b"));
        assert!(configuration.is_on("secure_mode"));
        assert_eq!(configuration.option("uuid"), None);
    }

    #[test]
    fn both_names_of_an_option_are_known() {
        assert!(read("enable_natpmp=yes\n").speaks_pcp() && read("enable_pcp_pmp=yes\n").speaks_pcp());
        assert!(!read("#enable_natpmp=yes\n").speaks_pcp());
        assert_eq!(read("port=5000\n").http_port(), Some(5000));
        assert_eq!(read("port=5000\nhttp_port=6000\n").http_port(), Some(6000));
        assert_eq!(read("http_port=0\n").http_port(), None);
        assert!(read("").speaks_upnp() && !read("enable_upnp=no\n").speaks_upnp());
    }

    #[test]
    fn rules_and_lines_that_miniupnpd_refuses_are_told_apart() {
        let configuration =
            read("# x\nallow 1 10.0.0.1 1\nallow 2-1 10.0.0.1 1\nnonsense\ndeny 1\nlistening_ip=lan0 x\n");
        assert_eq!(configuration.rules().len(), 1);
        let bad: Vec<_> = configuration.bad_lines().map(|bad| (bad.number, bad.rule)).collect();
        assert_eq!(bad, [(3, Some(Malformed::Ports)), (4, None), (5, None)]);
        assert_eq!(configuration.listening(), ["lan0"]);
    }
}
