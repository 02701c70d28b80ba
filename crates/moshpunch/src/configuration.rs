//! What holds: flag, else environment (clap does these two), else configuration file, else default.
//!
//! `${XDG_CONFIG_HOME:-~/.config}/moshpunch/config.toml`. An unknown key of our section is left out and told, so that a
//! misspelt one is seen; another section may be for another machine, or for a newer moshpunch.

mod connect;
mod shell_words;

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use etcetera::{BaseStrategy, choose_base_strategy};
use host::configuration::{Configuration, LONGEST_BUDGET};
use report::{Machine, Step, Trouble};
use serde::Deserialize;

pub(crate) use self::connect::connection;
use crate::arguments::ServerArguments;

/// WANIPConnection:2 §2.3.19.
const LONGEST_LEASE: Duration = Duration::from_secs(604_800);

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    server: ServerSection,
    #[serde(flatten)]
    others: toml::Table,
}

#[derive(Debug, Default, Deserialize)]
struct ServerSection {
    budget: Option<f64>,
    lease: Option<u32>,
    mosh_server: Option<PathBuf>,
    log: Option<PathBuf>,
    ports: Option<String>,
    #[serde(flatten)]
    unknown: toml::Table,
}

impl File {
    fn unknown_settings(&self) -> Vec<Trouble> {
        let of_no_section = self.others.iter().filter(|(_, value)| !is_section(value));
        let of_no_section = of_no_section.map(|(key, _)| left_out(key, "in no section"));
        let misspelt = self.server.unknown.keys().map(|key| left_out(key, "no setting of [server]"));
        of_no_section.chain(misspelt).collect()
    }

    fn unknown_sections(&self) -> Vec<String> {
        let sections = self.others.iter().filter(|(_, value)| is_section(value));
        sections.map(|(name, _)| name.clone()).collect()
    }
}

fn is_section(value: &toml::Value) -> bool {
    let is_list_of_sections = |list: &Vec<_>| !list.is_empty() && list.iter().all(toml::Value::is_table);
    value.is_table() || value.as_array().is_some_and(is_list_of_sections)
}

fn left_out(key: &str, why: &str) -> Trouble {
    let what = format!("the configuration file: {key:?} is {why}, and left out");
    Trouble::told(Machine::Host, Step::Configuration, what, "correct or remove it")
}

/// What holds for a session.
///
/// # Errors
///
/// The file cannot be read, or says what cannot hold.
pub(crate) fn server(arguments: &ServerArguments) -> Result<Configuration> {
    let text = match path() {
        Some(path) => read(&path)?,
        None => String::new(),
    };
    resolve(arguments, &text)
}

fn resolve(arguments: &ServerArguments, file: &str) -> Result<Configuration> {
    let file: File = toml::from_str(file).context("the configuration file")?;
    let (unknown_settings, unknown_sections) = (file.unknown_settings(), file.unknown_sections());
    let file = file.server;
    let defaults = Configuration::default();
    let (budget, patience) = match arguments.budget.or(file.budget) {
        Some(seconds) => {
            let budget = Duration::try_from_secs_f64(seconds).context("budget")?;
            (budget, budget)
        }
        None => (defaults.budget, defaults.patience),
    };
    let lease =
        arguments.lease.or(file.lease).map_or(defaults.lease, |lease| Duration::from_secs(lease.into()));
    ensure!(budget <= LONGEST_BUDGET, "budget: {budget:?} is longer than {LONGEST_BUDGET:?}");
    ensure!(
        lease >= Duration::from_secs(1) && lease <= LONGEST_LEASE,
        "lease: {} is not from 1 to {} seconds",
        lease.as_secs(),
        LONGEST_LEASE.as_secs()
    );
    Ok(Configuration {
        budget,
        patience,
        lease,
        mosh_server: arguments.mosh_server.clone().or(file.mosh_server).unwrap_or(defaults.mosh_server),
        log: arguments.log.clone().or(file.log),
        ports: file.ports.as_deref().map(ports).transpose()?,
        unknown_settings,
        unknown_sections,
    })
}

/// `LOW-HIGH`, as in the permissions of miniupnpd, or one port.
fn ports(text: &str) -> Result<RangeInclusive<NonZeroU16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse::<NonZeroU16>().ok();
    let range = port(low).zip(port(high)).filter(|(low, high)| low <= high);
    let (low, high) = range.with_context(|| format!("ports: {text:?} is not like \"60006-60010\""))?;
    Ok(low..=high)
}

fn path() -> Option<PathBuf> {
    Some(choose_base_strategy().ok()?.config_dir().join("moshpunch/config.toml"))
}

fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        result => result.with_context(|| path.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> ServerArguments {
        ServerArguments {
            budget: None,
            lease: None,
            mosh_server: None,
            log: None,
            offer: false,
            mosh_server_arguments: vec![],
        }
    }

    #[test]
    fn nothing_said_means_the_defaults() {
        assert_eq!(resolve(&arguments(), "").unwrap(), Configuration::default());
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let said = ServerArguments { lease: Some(60), ..arguments() };
        let file = "[server]\nlease = 90\nbudget = 0.25\n";
        let resolved = resolve(&said, file).unwrap();
        assert_eq!((resolved.lease.as_secs(), resolved.budget.as_millis()), (60, 250));
    }

    #[test]
    fn ports_are_a_range_or_one() {
        for (text, expected) in [("60006-60010", 60006..=60010), ("60006", 60006..=60006)] {
            let range = ports(text).unwrap();
            assert_eq!(range.start().get()..=range.end().get(), expected, "{text}");
        }
    }

    #[test]
    fn a_setting_that_is_not_known_is_told_and_the_rest_holds() {
        let resolved = resolve(&arguments(), "budget = 9\n[server]\nleese = 1\nlease = 60\n").unwrap();
        let told: Vec<_> =
            resolved.unknown_settings.iter().map(|trouble| trouble.cause.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "the configuration file: \"budget\" is in no section, and left out",
                "the configuration file: \"leese\" is no setting of [server], and left out"
            ]
        );
        let Configuration { budget, lease, .. } = Configuration::default();
        assert_ne!(lease.as_secs(), 60);
        assert_eq!((resolved.lease.as_secs(), resolved.budget), (60, budget));
    }

    #[test]
    fn a_section_for_another_machine_is_no_trouble() {
        let file = "[server]\nlease = 60\n[host.work]\nssh = \"ssh -p 2\"\n[[client]]\na = 1\n[client2]\n";
        let resolved = resolve(&arguments(), file).unwrap();
        assert_eq!((resolved.unknown_settings, resolved.lease.as_secs()), (vec![], 60));
        assert_eq!(resolved.unknown_sections, ["client", "client2", "host"]);
    }

    #[test]
    fn what_cannot_hold_is_refused_by_name() {
        for (file, expected) in [
            ("[server]\nlease = 0\n", "lease: 0 is not from 1 to 604800 seconds"),
            ("[server]\nlease = 604801\n", "lease: 604801 is not from 1 to 604800 seconds"),
            ("[server]\nbudget = 61\n", "budget: 61s is longer than 60s"),
            ("[server]\nbudget = -1.0\n", "budget"),
            ("[server]\nlease = \"1\"\n", "the configuration file"),
            ("server = 1\n", "the configuration file"),
            ("[server]\nports = \"60010-60006\"\n", "ports: \"60010-60006\" is not like \"60006-60010\""),
            ("[server]\nports = \"0-7\"\n", "ports: \"0-7\" is not like \"60006-60010\""),
            ("[server]\nports = \"mosh\"\n", "ports: \"mosh\" is not like \"60006-60010\""),
        ] {
            let error = resolve(&arguments(), file).unwrap_err();
            assert_eq!(error.to_string(), expected, "{file}");
        }
    }
}
