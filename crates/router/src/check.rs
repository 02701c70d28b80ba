//! `moshpunch router check`.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use miniupnpd::check::{Finding, Verdict, judge};
use report::sanitized;
use serde::Serialize;

use super::facts;
use crate::exit_code::CheckExitCode;

#[derive(Debug, Serialize)]
struct CheckView {
    exit_code: u8,
    /// The worst of all.
    verdict: Verdict,
    findings: Vec<Finding>,
}

/// What was said to `router check`.
#[derive(Debug)]
pub struct Check {
    /// With which miniupnpd runs.
    pub miniupnpd_conf: PathBuf,
    /// Answer by one JSON value, as docs/router.md describes it.
    pub json: bool,
}

/// # Errors
///
/// Nobody reads what is found.
pub fn run(said: &Check) -> Result<ExitCode> {
    let view = CheckView::new(judge(&facts::read(&said.miniupnpd_conf)));
    match said.json {
        true => writeln!(io::stdout(), "{}", report::sanitized_json(&serde_json::to_string_pretty(&view)?))?,
        false => write!(io::stdout(), "{view}")?,
    }
    Ok(exit_code(view.verdict).into())
}

fn exit_code(worst: Verdict) -> CheckExitCode {
    match worst {
        Verdict::Ok | Verdict::Warning => CheckExitCode::Sound,
        Verdict::Unknown => CheckExitCode::Unchecked,
        Verdict::Fault => CheckExitCode::Faulty,
    }
}

impl CheckView {
    fn new(findings: Vec<Finding>) -> Self {
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Unknown);
        let shown = |finding: Finding| Finding {
            what: sanitized(&finding.what),
            cure: finding.cure.as_deref().map(sanitized),
            ..finding
        };
        Self {
            exit_code: exit_code(verdict) as u8,
            verdict,
            findings: findings.into_iter().map(shown).collect(),
        }
    }
}

impl Display for CheckView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for Finding { name, verdict, what, cure } in &self.findings {
            writeln!(formatter, "{:8} {name:14} {what}", word(*verdict))?;
            if let Some(cure) = cure {
                writeln!(formatter, "{:8} {:14} cure: {cure}", "", "")?;
            }
        }
        Ok(())
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Unknown => "unknown",
        Verdict::Fault => "FAULT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> CheckView {
        let finding = |name, verdict, what: &str, cure: Option<&str>| Finding {
            name,
            verdict,
            what: what.into(),
            cure: cure.map(str::to_owned),
        };
        CheckView::new(vec![
            finding("daemon", Verdict::Ok, "miniupnpd runs", None),
            finding("secure-mode", Verdict::Fault, "a\x1bb", Some("secure_mode=yes")),
        ])
    }

    #[test]
    fn each_finding_is_a_line_and_its_cure_another() {
        assert_eq!(
            view().to_string(),
            "ok       daemon         miniupnpd runs\n\
             FAULT    secure-mode    a\u{fffd}b\n                        cure: secure_mode=yes\n"
        );
    }

    #[test]
    fn its_json_has_these_fields() {
        let value = serde_json::to_value(view()).unwrap();
        let expected = serde_json::json!({
            "exit_code": 1,
            "verdict": "fault",
            "findings": [
                {"name": "daemon", "verdict": "ok", "what": "miniupnpd runs", "cure": null},
                {"name": "secure-mode", "verdict": "fault", "what": "a\u{fffd}b", "cure": "secure_mode=yes"},
            ],
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn the_worst_finding_decides_the_exit_code() {
        let codes =
            [Verdict::Ok, Verdict::Warning, Verdict::Unknown, Verdict::Fault].map(|it| exit_code(it) as u8);
        assert_eq!(codes, [0, 0, 2, 1]);
    }
}
