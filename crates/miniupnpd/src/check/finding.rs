use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// It works, but not always, or not for everybody.
    Warning,
    Unknown,
    Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What to do; `None` where all is well.
    pub cure: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, what: what.into(), cure: None }
    }

    pub(super) fn warning(name: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, what: what.into(), cure: Some(cure.into()) }
    }

    pub(super) fn unknown(name: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Unknown, what: what.into(), cure: Some(cure.into()) }
    }

    pub(super) fn fault(name: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fault, what: what.into(), cure: Some(cure.into()) }
    }
}
