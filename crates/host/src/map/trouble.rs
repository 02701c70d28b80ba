//! What the user is told when it did not work.

use std::io;
use std::net::IpAddr;

use portmap::cause::Cause;
use serde::Serialize;

use crate::map::exit_code::ExitCode;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: ExitCode,
    pub(super) cause: String,
    pub(super) cure: Option<String>,
}

#[derive(Serialize)]
pub(super) struct TroubleJson<'a> {
    exit_code: u8,
    cause: &'a str,
    cure: Option<&'a str>,
}

impl Trouble {
    pub(super) fn new(code: ExitCode, cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), cure: Some(cure.into()) }
    }

    pub(super) fn too_slow(gateway: IpAddr) -> Self {
        Self::new(
            ExitCode::NoAnswer,
            format!("the router {gateway} did not answer in time"),
            "give it more time with --budget",
        )
    }

    pub(super) fn interrupted() -> Self {
        Self { code: ExitCode::Failure, cause: "interrupted; nothing is left mapped".into(), cure: None }
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

    pub(super) fn to_json(&self) -> TroubleJson<'_> {
        TroubleJson { exit_code: self.code as u8, cause: &self.cause, cure: self.cure.as_deref() }
    }
}

impl From<&Cause> for Trouble {
    fn from(cause: &Cause) -> Self {
        Self::new(ExitCode::from(cause), cause.to_string(), cause.remedy())
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self { code: ExitCode::Failure, cause: format!("{error:#}"), cure: None }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}
