//! What holds: flag, else environment (clap does these two), else configuration file, else default.
//!
//! `${XDG_CONFIG_HOME:-~/.config}/moshpunch/config.toml`; an unknown key is an error, so that a misspelt one is seen.

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
use serde::Deserialize;

pub(crate) use self::connect::connection;
use crate::arguments::ServerArguments;

/// WANIPConnection:2 §2.3.19.
const LONGEST_LEASE: Duration = Duration::from_secs(604_800);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    server: ServerSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerSection {
    budget: Option<f64>,
    lease: Option<u32>,
    mosh_server: Option<PathBuf>,
    log: Option<PathBuf>,
    ports: Option<String>,
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
    fn what_cannot_hold_is_refused_by_name() {
        for (file, expected) in [
            ("[server]\nlease = 0\n", "lease: 0 is not from 1 to 604800 seconds"),
            ("[server]\nlease = 604801\n", "lease: 604801 is not from 1 to 604800 seconds"),
            ("[server]\nbudget = 61\n", "budget: 61s is longer than 60s"),
            ("[server]\nbudget = -1.0\n", "budget"),
            ("[server]\nleese = 1\n", "the configuration file"),
            ("[server]\nports = \"60010-60006\"\n", "ports: \"60010-60006\" is not like \"60006-60010\""),
            ("[server]\nports = \"0-7\"\n", "ports: \"0-7\" is not like \"60006-60010\""),
            ("[server]\nports = \"mosh\"\n", "ports: \"mosh\" is not like \"60006-60010\""),
        ] {
            let error = resolve(&arguments(), file).unwrap_err();
            assert_eq!(error.to_string(), expected, "{file}");
        }
    }
}
