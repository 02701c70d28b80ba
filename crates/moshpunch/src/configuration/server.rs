//! What can be said of the sessions on a host.

use std::ffi::OsStr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use host::configuration::{Configuration, LONGEST_BUDGET};

use super::document::Section;
use super::setting::{Flag, Kind, Setting, Settings, utf8};

/// WANIPConnection:2 §2.3.19, in seconds.
const LONGEST_LEASE: u32 = 604_800;

impl Settings for Configuration {
    const ALL: &'static [Setting<Self>] = SETTINGS;
    const HEADER: &'static str = "[server]";
    const SECTIONS: &'static [&'static str] = &["server"];

    fn unsaid() -> Self {
        Self::default()
    }

    fn has(section: &Section) -> bool {
        matches!(section, Section::Server | Section::None)
    }

    fn rank(section: &Section, _host: &str) -> Option<u8> {
        (*section == Section::Server).then_some(0)
    }
}

const SETTINGS: &[Setting<Configuration>] = &[
    Setting {
        name: "budget",
        kind: Kind::Number,
        default: None,
        flag: Some(Flag {
            value: "SECONDS",
            help: "How long the mapping may delay the session, in seconds [default: 2]",
            ..Flag::UNSAID
        }),
        other: None,
        set: |server, text| {
            let Some(text) = text.map(utf8).transpose()? else { return Ok(()) };
            let seconds = text.parse().map_err(|_| format!("{text:?} is no number"))?;
            let budget = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
            if budget > LONGEST_BUDGET {
                return Err(format!("{budget:?} is longer than {LONGEST_BUDGET:?}"));
            }
            (server.budget, server.patience) = (budget, budget);
            Ok(())
        },
    },
    Setting {
        name: "lease",
        kind: Kind::Number,
        default: None,
        flag: Some(Flag {
            value: "SECONDS",
            help: "How long the router is to keep the mapping without hearing from us, in seconds [default: 3600]",
            ..Flag::UNSAID
        }),
        other: None,
        set: |server, text| {
            let Some(text) = text.map(utf8).transpose()? else { return Ok(()) };
            let lease = text.parse().ok().filter(|lease| (1..=LONGEST_LEASE).contains(lease));
            let lease = lease.ok_or_else(|| format!("{text} is not from 1 to {LONGEST_LEASE} seconds"))?;
            server.lease = Duration::from_secs(lease.into());
            Ok(())
        },
    },
    Setting {
        name: "mosh-server",
        kind: Kind::Path,
        default: Some("mosh-server"),
        flag: Some(Flag {
            value: "PROGRAM",
            help: "The mosh-server to start [default: mosh-server]",
            ..Flag::UNSAID
        }),
        other: None,
        set: |server, text| {
            server.mosh_server = text.map(PathBuf::from).unwrap_or_default();
            Ok(())
        },
    },
    Setting {
        name: "log",
        kind: Kind::Path,
        default: None,
        flag: Some(Flag { value: "FILE", help: "Append what the keeper does to this file", ..Flag::UNSAID }),
        other: None,
        set: |server, text| {
            server.log = text.map(PathBuf::from);
            Ok(())
        },
    },
    Setting {
        name: "ports",
        kind: Kind::Ports,
        default: None,
        flag: None,
        other: None,
        set: |server, text| {
            server.ports = text.map(ports).transpose()?;
            Ok(())
        },
    },
    Setting {
        name: "carry",
        kind: Kind::Switch,
        default: Some("true"),
        flag: None,
        other: None,
        set: |server, text| {
            server.carry = text.is_none_or(|text| text == "true");
            Ok(())
        },
    },
    Setting {
        name: "punch",
        kind: Kind::Switch,
        default: Some("true"),
        flag: None,
        other: None,
        set: |server, text| {
            server.punch = text.is_none_or(|text| text == "true");
            Ok(())
        },
    },
];

/// `LOW-HIGH`, as in the permissions of miniupnpd, or one port.
fn ports(text: &OsStr) -> Result<RangeInclusive<NonZeroU16>, String> {
    let text = utf8(text)?;
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse::<NonZeroU16>().ok();
    let range = port(low).zip(port(high)).filter(|(low, high)| low <= high);
    let (low, high) = range.ok_or_else(|| format!("{text:?} is not like \"60006-60010\""))?;
    Ok(low..=high)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::said::{Layer, hold};
    use super::*;

    /// With this file, and what of it is left out.
    fn held(file: &str) -> (Configuration, Vec<String>) {
        let layer = Layer::of_a_file::<Configuration>(file.as_bytes(), Path::new("F"), "");
        let mut configuration = Configuration::default();
        hold(&layer.said, &mut configuration).unwrap();
        (configuration, layer.left_out.into_iter().map(|told| told.what).collect())
    }

    #[test]
    fn nothing_said_means_the_defaults() {
        assert_eq!(held(""), (Configuration::default(), vec![]));
        assert_eq!(held("[server]\nlease = false\nlog = false\nmosh_server = false\n"), held(""));
    }

    #[test]
    fn ports_are_a_range_or_one() {
        for (text, expected) in
            [("\"60006-60010\"", 60006..=60010), ("\"60006\"", 60006..=60006), ("60006", 60006..=60006)]
        {
            let (Configuration { ports, .. }, left_out) = held(&format!("[server]\nports = {text}\n"));
            let ports = ports.unwrap_or_else(|| panic!("{left_out:?}"));
            assert_eq!(ports.start().get()..=ports.end().get(), expected, "{text}");
        }
    }

    #[test]
    fn an_administrator_keeps_datagrams_off_ssh() {
        for (line, carry) in [("", true), ("carry = true", true), ("carry = false", false)] {
            let (configuration, left_out) = held(&format!("[server]\n{line}\n"));
            assert_eq!((configuration.carry, left_out), (carry, vec![]), "{line}");
        }
        assert_eq!(
            held("[server]\ncarry = 1\n").1,
            ["F:2: carry: true or false was expected, and is left out"]
        );
    }

    #[test]
    fn an_administrator_has_no_openers_sent() {
        for (line, punch) in [("", true), ("punch = true", true), ("punch = false", false)] {
            let (configuration, left_out) = held(&format!("[server]\n{line}\n"));
            assert_eq!((configuration.punch, configuration.carry, left_out), (punch, true, vec![]), "{line}");
        }
    }

    #[test]
    fn who_sets_a_budget_waits_no_longer() {
        let (Configuration { budget, patience, .. }, _) = held("[server]\nbudget = 0.25\n");
        assert_eq!((budget.as_millis(), patience.as_millis()), (250, 250));
    }

    #[test]
    fn sections_for_other_machines_are_no_trouble() {
        let file =
            "[server]\nlease = 60\n[host.work]\nssh = 1\nwhat = 1\n[client]\nleese = 1\n[[other]]\nx = 1\n";
        let (configuration, left_out) = held(file);
        assert_eq!((configuration.lease.as_secs(), left_out), (60, vec![]));
    }

    #[test]
    fn what_cannot_hold_is_left_out_alone() {
        for (line, expected) in [
            ("lease = 0", "lease: 0 is not from 1 to 604800 seconds"),
            ("lease = 604801", "lease: 604801 is not from 1 to 604800 seconds"),
            ("lease = \"1\"", "lease: a number was expected"),
            ("budget = 61", "budget: 61s is longer than 60s"),
            (
                "budget = nan",
                "budget: cannot convert float seconds to Duration: value is either too big or NaN",
            ),
            ("budget = -1.0", "budget: cannot convert float seconds to Duration: value is negative"),
            ("ports = \"60010-60006\"", "ports: \"60010-60006\" is not like \"60006-60010\""),
            ("ports = \"0-7\"", "ports: \"0-7\" is not like \"60006-60010\""),
            ("ports = [1]", "ports: a number, or a text in quotes, was expected"),
            ("mosh_server = \"\"", "mosh_server: a path was expected"),
        ] {
            let (configuration, left_out) = held(&format!("[server]\nlog = \"/tmp/log\"\n{line}\n"));
            assert_eq!(left_out, [format!("F:3: {expected}, and is left out")], "{line}");
            assert_eq!(configuration, held("[server]\nlog = \"/tmp/log\"\n").0, "{line}");
        }
        assert_eq!(held("server = 1\n").1, ["F:1: \"server\" is in no section, and is left out"]);
    }
}
