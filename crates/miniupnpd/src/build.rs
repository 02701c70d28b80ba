//! Which miniupnpd is installed, by what it says of itself, and what that makes of its file.
//!
//! From the sources of the releases: the table of options (`options.c`), what is done with each (`miniupnpd.c`) and
//! `Changelog.txt`, up to [`NEWEST`]. What a later version knows cannot be said, nor what was taken between two releases.

mod options;

use std::fmt;

use self::options::{Needs, OPTIONS};

/// The last release that was looked at.
pub const NEWEST: Version = Version([2, 3, 11]);

/// What does not tell its version is taken to know what this one knows. Before 2.2.0 none tells it, and none stops at what
/// it does not know.
const COMMON: Version = Version([2, 3, 0]);

/// With this one and later, a line that cannot be understood ends miniupnpd; others only tell of it.
pub const STOPS_AT_A_BAD_LINE: Version = Version([2, 2, 3]);

/// With this one and later, a fifth word of a rule is a pattern for the description; before, it is nothing.
pub const READS_PATTERNS: Version = Version([2, 3, 2]);

/// With this one and later, `secure_mode` is on until a line says `no`; before, off until one says `yes`.
pub const SECURE_BY_DEFAULT: Version = Version([2, 3, 4]);

/// With this one and later, nothing is mapped on an address outside that is no public one.
pub const REFUSES_PRIVATE_ADDRESSES: Version = Version([2, 2, 0]);

/// On Linux this one and later read /etc/miniupnpd/miniupnpd.conf, if they are told no other; before, it is
/// /etc/miniupnpd.conf.
pub const READS_ITS_OWN_DIRECTORY: Version = Version([2, 3, 5]);

/// With this one and later, `ext_perform_stun=allow-filtered` is more than a no.
pub const KNOWS_FILTERED_STUN: Version = Version([2, 3, 9]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u32; 3]);

/// Whether an option can be in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knows {
    Yes,
    No,
    /// It depends on what is not known of the build.
    Perhaps,
}

/// What is known of it; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Build {
    version: Option<Version>,
    /// Taken between two releases, the first of which its version names.
    is_between: bool,
    /// Each line below the first.
    further: Vec<String>,
}

impl Version {
    /// Of `2.3.1`, or of the first numbers of what begins like that; what is missing is 0.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        let first = numbers.next()?.ok()?;
        let mut next = || numbers.next().and_then(Result::ok).unwrap_or_default();
        Some(Self([first, next(), next()]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(formatter, "{major}.{minor}.{patch}")
    }
}

impl Build {
    /// Of what `miniupnpd --version` prints (since 2.2.0): `miniupnpd 2.3.1 Dec 21 2022`, and lines about the build.
    /// What is anything else tells nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim);
        let mut words = lines.next().unwrap_or_default().split_whitespace();
        let version = match (words.next(), words.next()) {
            (Some("miniupnpd"), Some(version)) => Version::parse(version),
            _ => None,
        };
        let Some(version) = version else { return Self::default() };
        // Behind the version may be the tag or the commit of git, and is the day.
        let behind: Vec<_> = words.collect();
        let reference = &behind[..behind.len().saturating_sub(DATE_WORDS)];
        let is_release = reference.iter().all(|word| word.starts_with(TAG));
        Self { version: Some(version), is_between: !is_release, further: lines.map(str::to_owned).collect() }
    }

    /// `None`: it is not known.
    #[must_use]
    pub fn is_since(&self, version: Version) -> Option<bool> {
        match self.version? {
            own if own >= version => Some(true),
            _ if self.is_between => None,
            _ => Some(false),
        }
    }

    #[must_use]
    pub fn knows(&self, option: &str) -> Knows {
        let Some(known) = OPTIONS.iter().find(|known| known.name == option) else {
            // A later one may have more.
            let is_known_whole = self.version.is_some_and(|own| own <= NEWEST && !self.is_between);
            return if is_known_whole { Knows::No } else { Knows::Perhaps };
        };
        let is_old = self.version.is_none() && known.since <= COMMON;
        match (self.is_since(known.since).or(is_old.then_some(true)), self.has(known.needs)) {
            (Some(false), _) | (_, Some(false)) => Knows::No,
            (Some(true), Some(true)) => Knows::Yes,
            _ => Knows::Perhaps,
        }
    }

    /// `None`: it does not tell.
    fn has(&self, needs: Needs) -> Option<bool> {
        let line = |start: &str| self.further.iter().find_map(|line| line.strip_prefix(start));
        match needs {
            Needs::Nothing => Some(true),
            Needs::Packaged(word) => {
                Some(line(OPTIONS_LINE).is_none_or(|line| line.split_whitespace().any(|own| own == word)))
            }
            Needs::Backend(start) => match line(BACKEND_LINE) {
                Some(backend) => Some(backend.starts_with(start)),
                None => (start == options::LINUX).then_some(true),
            },
            Needs::Tls => {
                self.version?;
                Some(self.further.iter().any(|line| line.contains("SSL")))
            }
        }
    }
}

/// As they call it: the name with the version, if that is known.
impl fmt::Display for Build {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(formatter, "miniupnpd {version}"),
            None => formatter.write_str("miniupnpd"),
        }
    }
}

/// The version that brought an option; `None`: no release up to [`NEWEST`] has it.
#[must_use]
pub fn introduced(option: &str) -> Option<Version> {
    OPTIONS.iter().find(|known| known.name == option).map(|known| known.since)
}

/// C's `__DATE__`, such as `Dec 21 2022`.
const DATE_WORDS: usize = 3;

/// Of a release, such as `miniupnpd_2_3_11`.
const TAG: &str = "miniupnpd_";

const BACKEND_LINE: &str = "using ";
/// Since 2.3.4.
const OPTIONS_LINE: &str = "build options:";

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN_12: &str = "miniupnpd 2.3.1 Dec 21 2022\nusing netfilter(nftables) backend\n";

    fn release(version: &str) -> Build {
        Build::parse(&format!("miniupnpd {version} Jan  1 2026\nusing netfilter(nftables) backend\n"))
    }

    #[test]
    fn each_option_is_known_since_the_release_that_brought_it() {
        for (option, before, since) in [
            ("enable_pcp_pmp", "2.3.3", "2.3.4"),
            ("upnp_nftables_family_split", "2.3.5", "2.3.6"),
            ("ext_allow_private_ipv4", "2.3.8", "2.3.9"),
            ("upnp_table_name", "2.2.3", "2.3.0"),
            ("lease_file6", "2.2.2", "2.2.3"),
            ("ext_perform_stun", "2.1", "2.2.0"),
        ] {
            assert_eq!(release(before).knows(option), Knows::No, "{before} {option}");
            assert_eq!(release(since).knows(option), Knows::Yes, "{since} {option}");
        }
        for version in ["2.2.0", "2.3.1", "2.3.11", "2.4.0"] {
            assert_eq!(release(version).knows("enable_natpmp"), Knows::Yes, "{version}");
        }
    }

    #[test]
    fn what_nobody_has_is_unknown_to_what_was_looked_at_and_to_no_other() {
        for version in ["2.2.0", "2.3.1", "2.3.11"] {
            assert_eq!(release(version).knows("enable_nat_pmp"), Knows::No, "{version}");
        }
        for version in ["2.3.12", "2.4.0", "3"] {
            assert_eq!(release(version).knows("enable_nat_pmp"), Knows::Perhaps, "{version}");
        }
        assert_eq!(Build::default().knows("enable_nat_pmp"), Knows::Perhaps);
        let (common, later) =
            (["ext_ifname", "lease_file", "upnp_table_name"], ["enable_pcp_pmp", "https_port"]);
        assert_eq!(common.map(|option| Build::default().knows(option)), [Knows::Yes; 3]);
        assert_eq!(later.map(|option| Build::default().knows(option)), [Knows::Perhaps; 2]);
    }

    #[test]
    fn the_tag_of_a_release_is_no_other_version_and_a_commit_may_be() {
        let tagged = Build::parse("miniupnpd 2.3.6 miniupnpd_2_3_6 Mar 20 2024\n");
        assert_eq!(tagged.knows("ext_allow_private_ipv4"), Knows::No);
        for text in [
            "miniupnpd 2.3.8 master-4e18a4c Apr 11 2025\n",
            "miniupnpd 2.3.8 HEAD-4e18a4c Apr 11 2025\n",
            "miniupnpd 2.3.8 heads/a branch-4e18a4c Apr 11 2025\n",
        ] {
            let between = Build::parse(text);
            assert_eq!(between.knows("ext_allow_private_ipv4"), Knows::Perhaps, "{text}");
            assert_eq!(between.knows("enable_nat_pmp"), Knows::Perhaps, "{text}");
            assert_eq!(between.knows("upnp_nftables_family_split"), Knows::Yes, "{text}");
        }
    }

    #[test]
    fn what_a_build_says_it_lacks_it_does_not_know() {
        let build = |lines: &str| Build::parse(&format!("miniupnpd 2.3.9 Apr 22 2025\n{lines}"));
        let full =
            build("using netfilter(nftables) backend\nbuild options: ipv6 NAT-PMP PCP leasefile igdv2\n");
        let lean =
            build("using netfilter(iptables) backend\nOpenSSL 3.0.15 3 Sep 2024\nbuild options: NAT-PMP\n");
        for (option, in_full, in_lean) in [
            ("lease_file", Knows::Yes, Knows::No),
            ("ext_ifname6", Knows::Yes, Knows::No),
            ("force_igd_desc_v1", Knows::Yes, Knows::No),
            ("min_lifetime", Knows::Yes, Knows::No),
            ("enable_natpmp", Knows::Yes, Knows::Yes),
            ("https_port", Knows::No, Knows::Yes),
            ("anchor", Knows::No, Knows::No),
            ("upnp_nat_chain", Knows::Yes, Knows::Yes),
        ] {
            assert_eq!((full.knows(option), lean.knows(option)), (in_full, in_lean), "{option}");
        }
        let bsd = build("using pf backend\n");
        assert_eq!((bsd.knows("anchor"), bsd.knows("upnp_nat_chain")), (Knows::Yes, Knows::No));
    }

    #[test]
    fn what_tells_no_version_tells_nothing() {
        for text in [
            "",
            "\n",
            "Usage:\n\tminiupnpd [-f file]\n",
            "miniupnpd",
            "miniupnpd two",
            "upnpd 2.3.1 Dec 1 2022",
        ] {
            assert_eq!(Build::parse(text), Build::default(), "{text}");
        }
        assert_eq!(Build::default().is_since(Version([0, 0, 0])), None);
        assert_eq!(Build::default().to_string(), "miniupnpd");
    }

    #[test]
    fn versions_are_in_order_however_they_are_written() {
        let build = |text: &str| Build::parse(text);
        assert_eq!(build(DEBIAN_12).is_since(SECURE_BY_DEFAULT), Some(false));
        assert_eq!(release("2.3.10").is_since(SECURE_BY_DEFAULT), Some(true));
        assert_eq!(release("2.1").is_since(STOPS_AT_A_BAD_LINE), Some(false));
        assert_eq!(release("2.3.4-r1").is_since(Version([2, 3, 0])), Some(true));
        assert_eq!(build("miniupnpd 2.3.7\r\n").is_since(SECURE_BY_DEFAULT), Some(true));
        assert_eq!(build(DEBIAN_12).to_string(), "miniupnpd 2.3.1");
    }
}
