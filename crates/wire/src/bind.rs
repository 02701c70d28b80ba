//! Where mosh-server listens, as its arguments say it (mosh-server(1), 1.4.0).

use std::ffi::OsString;

/// As `-s` and `-i` say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// Every IPv4 address.
    Any,
    /// The address that ssh came in on.
    Ssh,
    /// `-i`; as written.
    Address(String),
}

impl Bind {
    /// For mosh-server, behind `new`.
    pub fn arguments(&self) -> Vec<OsString> {
        match self {
            Self::Any => vec![],
            Self::Ssh => vec!["-s".into()],
            Self::Address(address) => vec!["-i".into(), address.into()],
        }
    }
}
