//! Lines that miniupnpd does not understand; since 2.2.3 it does not start with one.

use thiserror::Error;

use super::{Configuration, is_rule};
use crate::build::{Build, Knows, READS_PATTERNS, introduced};
use crate::document::setting;
use crate::rule::{Malformed, Rule};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1 on.
    pub number: usize,
    pub text: String,
    pub objection: Objection,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Objection {
    #[error(transparent)]
    Rule(#[from] Malformed),
    #[error("it is neither a rule nor name=value")]
    Nothing,
    #[error("{}", unknown(build, option))]
    UnknownOption { option: String, build: Build },
    /// This version, or this build of it, may know it or not.
    #[error("whether {build} knows the option {option} cannot be said{}", since(option))]
    Doubtful { option: String, build: Build },
    /// A build may have been made without them, and does not tell.
    #[error("whether {build} was built to understand the pattern at the end cannot be said")]
    Pattern { build: Build },
}

fn unknown(build: &Build, option: &str) -> String {
    format!("{build} knows no option {option}{}", since(option))
}

fn since(option: &str) -> String {
    match introduced(option) {
        Some(version) => format!(" (it came with {version})"),
        None => String::new(),
    }
}

impl Objection {
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Doubtful { .. } | Self::Pattern { .. })
    }

    /// Whether it is what a distribution may have taught its miniupnpd.
    #[must_use]
    pub fn is_of_an_option(&self) -> bool {
        matches!(self, Self::UnknownOption { .. } | Self::Doubtful { .. })
    }
}

impl Configuration {
    pub fn bad_lines<'a>(&'a self, build: &'a Build) -> impl Iterator<Item = BadLine> + 'a {
        self.document.lines().filter_map(|(index, text)| {
            let objection = objection(&text, build)?;
            Some(BadLine { number: index + 1, text, objection })
        })
    }
}

fn objection(line: &str, build: &Build) -> Option<Objection> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if is_rule(line) {
        return match line.parse::<Rule>() {
            Err(malformed) => Some(malformed.into()),
            Ok(rule) if rule.has_pattern && build.is_since(READS_PATTERNS) != Some(false) => {
                Some(Objection::Pattern { build: build.clone() })
            }
            Ok(_) => None,
        };
    }
    let Some((option, _)) = setting(line) else { return Some(Objection::Nothing) };
    let (option, knows, build) = (option.to_owned(), build.knows(option), build.clone());
    match knows {
        Knows::Yes => None,
        Knows::No => Some(Objection::UnknownOption { option, build }),
        Knows::Perhaps => Some(Objection::Doubtful { option, build }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objections(text: &str, version: &str) -> Vec<String> {
        let build =
            Build::parse(&format!("miniupnpd {version} Jan  1 2026\nusing netfilter(nftables) backend\n"));
        let configuration = Configuration::parse(text.as_bytes());
        configuration.bad_lines(&build).map(|bad| format!("{}: {}", bad.number, bad.objection)).collect()
    }

    #[test]
    fn rules_and_lines_that_miniupnpd_refuses_are_told_apart() {
        let text = "# x\nallow 1 10.0.0.1 1\nallow 2-1 10.0.0.1 1\nnonsense\ndeny 1\n  \nuuid=\n";
        assert_eq!(
            objections(text, "2.3.1"),
            [
                "3: a range of ports is FIRST-LAST or PORT, from 0 to 65535, the lower first",
                "4: it is neither a rule nor name=value",
                "5: it is neither a rule nor name=value",
            ]
        );
    }

    #[test]
    fn an_option_is_refused_by_those_that_do_not_know_it() {
        let newer = "enable_pcp_pmp=yes\r\n";
        let refused = "1: miniupnpd 2.3.1 knows no option enable_pcp_pmp (it came with 2.3.4)";
        assert_eq!(objections(newer, "2.3.1"), [refused]);
        assert_eq!(objections(newer, "2.3.4"), [""; 0]);
        let misspelt = "uuid=1\n enable_nat_pmp = yes\n";
        assert_eq!(objections(misspelt, "2.3.11"), ["2: miniupnpd 2.3.11 knows no option enable_nat_pmp"]);
        let later = "2: whether miniupnpd 2.3.12 knows the option enable_nat_pmp cannot be said";
        assert_eq!(objections(misspelt, "2.3.12"), [later]);
        assert_eq!(
            objections(misspelt, "?"),
            ["2: whether miniupnpd knows the option enable_nat_pmp cannot be said"]
        );
    }

    #[test]
    fn a_pattern_is_nothing_until_2_3_2_and_may_be_refused_since() {
        let patterned = "deny 1 10.0.0.1 1 \"torrent\"\nallow 1 10.0.0.1 1 # all\n";
        assert_eq!(objections(patterned, "2.3.1"), [""; 0]);
        let doubtful =
            "1: whether miniupnpd 2.3.9 was built to understand the pattern at the end cannot be said";
        assert_eq!(objections(patterned, "2.3.9"), [doubtful]);
    }

    #[test]
    fn names_are_taken_as_they_are() {
        for line in
            ["Secure_mode=yes\n", "secure mode=yes\n", "=yes\n", "\"secure_mode\"=yes\n", "include=a\n"]
        {
            assert_eq!(objections(line, "2.3.1").len(), 1, "{line}");
        }
        for line in ["\tsecure_mode =  yes \n", "secure_mode=\"yes\"\n", "secure_mode=\n", "uuid=a=b"] {
            assert_eq!(objections(line, "2.3.1"), [""; 0], "{line}");
        }
    }
}
