//! Where ssh came in.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Both ends of the ssh connection, as this host sees them (`SSH_CONNECTION`, ssh(1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SshConnection {
    pub(crate) client: IpAddr,
    pub(crate) server: IpAddr,
}

impl SshConnection {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        // A link-local address comes with its interface.
        let address = |word: &str| word.split('%').next()?.parse::<IpAddr>().ok();
        let client = address(words.next()?)?;
        let server = address(words.nth(1)?)?;
        Some(Self { client: client.to_canonical(), server: server.to_canonical() })
    }
}
