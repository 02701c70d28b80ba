//! How a command ended that did not do what it was asked for.

use std::io;
use std::net::IpAddr;

use portmap::cause::Cause;
use report::{Machine, Step, Told, Trouble};
use serde::Serialize;

use super::exit_code::ExitCode;
use crate::cause::MOSH_PORTS;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: ExitCode,
    pub(super) trouble: Trouble,
}

#[derive(Serialize)]
pub(super) struct FailureJson<'a> {
    exit_code: u8,
    cause: &'a str,
    cure: Option<&'a str>,
}

impl Failure {
    pub(super) fn new(code: ExitCode, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { code, trouble: Trouble::told(Machine::Router, Step::Mapping, what, cure) }
    }

    pub(super) fn too_slow(gateway: IpAddr) -> Self {
        Self::new(
            ExitCode::NoAnswer,
            format!("the router {gateway} did not answer in time"),
            "give it more time with --budget",
        )
    }

    pub(super) fn interrupted() -> Self {
        Self::of_this_host("interrupted; nothing is left mapped".into())
    }

    /// What was asked for may be there; it is recorded.
    pub(super) fn left_behind(code: ExitCode, gateway: IpAddr) -> Self {
        Self::new(
            code,
            format!(
                "the router {gateway} did not answer in time, and may have made the mapping all the same"
            ),
            "`moshpunch map remove` removes it, with --budget for more time",
        )
    }

    pub(super) fn to_json(&self) -> FailureJson<'_> {
        let Told { what, cure } = &self.trouble.cause;
        FailureJson { exit_code: self.code as u8, cause: what, cure: cure.as_deref() }
    }

    fn of_this_host(what: String) -> Self {
        let cause = Told { what, cure: None };
        let trouble = Trouble { machine: Machine::Host, step: Step::Mapping, cause };
        Self { code: ExitCode::Failure, trouble }
    }
}

impl From<&Cause> for Failure {
    fn from(cause: &Cause) -> Self {
        Self::new(ExitCode::from(cause), cause.to_string(), cause.remedy(&MOSH_PORTS))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::of_this_host(format!("{error:#}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}
