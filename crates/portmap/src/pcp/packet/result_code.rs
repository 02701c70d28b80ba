//! Why a PCP server refuses (RFC 6887 §7.4).

/// Result codes (RFC 6887 §7.4).
///
/// What the [`mapper`](crate::mapper) does then. "Give up" means that another protocol is asked; with none left the user
/// is told, or, if the mapping is there already, it is asked for again within half a minute.
///
/// A short-lived error is expected to pass, RFC 6887 recommends 30 s; a long-lived one, 30 min, stays until somebody
/// changes something. The answer carries the time, which is not waited for; miniupnpd 2.3.1 says 30 s for 7, 8 and 10,
/// and 0 for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultCode {
    Success,
    /// 1, long: see [`Response::VersionUnsupported`](super::Response::VersionUnsupported).
    UnsupportedVersion,
    /// 2, long: switched off, forbidden by the rules, or the nonce is not the mapping's. Give up, and show the rule
    /// to add.
    NotAuthorized,
    /// 3, long: a fault of ours or of the gateway. Give up.
    MalformedRequest,
    /// 4, long: give up; as the answer to ANNOUNCE it only shows that PCP is spoken.
    UnsupportedOpcode,
    /// 5, long: ask without the option; give up if there was none.
    UnsupportedOption,
    /// 6, long: as 5.
    MalformedOption,
    /// 7, short: the gateway has no external address. Give up.
    NetworkFailure,
    /// 8, short: the gateway is full, or short of anything else. Give up.
    NoResources,
    /// 9, long: not for this transport. Give up.
    UnsupportedProtocol,
    /// 10, short: this host has too many mappings. Give up; those of dead sessions are deleted by the next session's
    /// sweep.
    UserExceededQuota,
    /// 11: not the port that PREFER_FAILURE insists on, because it is taken or, in miniupnpd 2.3.1, forbidden by the
    /// rules. Take another port.
    CannotProvideExternal,
    /// 12, long: the gateway sees another source address; a NAT stands between. Give up, and NAT-PMP with it.
    AddressMismatch,
    /// 13, long: about FILTER, which we never send. Give up.
    ExcessiveRemotePeers,
    Unknown(u8),
}

impl From<u8> for ResultCode {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::UnsupportedVersion,
            2 => Self::NotAuthorized,
            3 => Self::MalformedRequest,
            4 => Self::UnsupportedOpcode,
            5 => Self::UnsupportedOption,
            6 => Self::MalformedOption,
            7 => Self::NetworkFailure,
            8 => Self::NoResources,
            9 => Self::UnsupportedProtocol,
            10 => Self::UserExceededQuota,
            11 => Self::CannotProvideExternal,
            12 => Self::AddressMismatch,
            13 => Self::ExcessiveRemotePeers,
            code => Self::Unknown(code),
        }
    }
}
