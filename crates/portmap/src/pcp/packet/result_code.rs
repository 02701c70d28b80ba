//! Why a PCP server refuses (RFC 6887 §7.4).

/// Result codes (RFC 6887 §7.4).
///
/// A short-lived error is expected to pass, RFC 6887 recommends 30 s; a long-lived one, 30 min, stays until somebody
/// changes something. The answer carries the time; miniupnpd 2.3.1 says 30 s for 7, 8 and 10, and 0 for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultCode {
    Success,
    /// 1, long: see [`Response::VersionUnsupported`](super::Response::VersionUnsupported).
    UnsupportedVersion,
    /// 2, long: switched off, forbidden by the rules, or the nonce is not the mapping's. Show the rule to add.
    NotAuthorized,
    /// 3, long: a fault of ours or of the gateway. Take another protocol.
    MalformedRequest,
    /// 4, long: take another protocol.
    UnsupportedOpcode,
    /// 5, long: ask without the option.
    UnsupportedOption,
    /// 6, long: ask without the option.
    MalformedOption,
    /// 7, short: the gateway has no external address. Try again.
    NetworkFailure,
    /// 8, short: the gateway is full, or short of anything else. Try again; for a renewal map anew.
    NoResources,
    /// 9, long: not for this transport.
    UnsupportedProtocol,
    /// 10, short: this host has too many mappings. Remove our own stale ones, then try again.
    UserExceededQuota,
    /// 11: not the port that PREFER_FAILURE insists on, because it is taken or, in miniupnpd 2.3.1, forbidden by the
    /// rules. Take another port.
    CannotProvideExternal,
    /// 12, long: the gateway sees another source address; a NAT stands between. Nothing to be asked of this gateway.
    AddressMismatch,
    /// 13, long: about FILTER, which we never send.
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
