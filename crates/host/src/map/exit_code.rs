//! How `moshpunch map` ended, for scripts (docs/map.md).

use std::process;

use portmap::cause::Cause;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ExitCode {
    Success = 0,
    /// Wrong usage, or what has no code of its own.
    Failure = 1,
    /// Nothing here maps ports.
    NoGateway = 2,
    /// By its rules, or because it cannot.
    Refused = 3,
    PortTaken = 4,
    /// There is no such mapping, or it is somebody else's.
    NotOurs = 5,
    /// The gateway is there, but did not answer, or not in time.
    NoAnswer = 6,
}

/// For --help.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done (a gateway behind another NAT is done, too, with a warning)
  1  wrong usage, or any other failure
  2  no gateway here maps ports
  3  the gateway refuses: by its rules, or because it cannot
  4  the port is taken
  5  there is no such mapping of ours
  6  the gateway did not answer in time";

impl From<&Cause> for ExitCode {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::NoGateway | Cause::NoMappingService { .. } => Self::NoGateway,
            Cause::PortTaken { .. } | Cause::PortsExhausted { .. } | Cause::SamePortOnly { .. } => {
                Self::PortTaken
            }
            Cause::NoAnswer { .. } | Cause::Unconfirmed { .. } => Self::NoAnswer,
            Cause::LeftBehind { .. }
            | Cause::DeniedByRules { .. }
            | Cause::TableFull { .. }
            | Cause::NotConnected { .. }
            | Cause::DoubleNat { .. }
            | Cause::CarrierNat { .. }
            | Cause::AddressUnknown { .. }
            | Cause::SwitchedOff { .. }
            | Cause::NatBetween { .. }
            | Cause::NotTranslated { .. }
            | Cause::PinholeForbidden { .. }
            | Cause::Refused { .. } => Self::Refused,
        }
    }
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use portmap::client::Code;

    use super::*;

    #[test]
    fn causes_lead_to_the_documented_codes() {
        let gateway = "192.168.1.1".parse().unwrap();
        let internal = "192.168.1.10:1".parse().unwrap();
        let port = std::num::NonZeroU16::MIN;
        for (cause, code) in [
            (Cause::NoGateway, 2),
            (Cause::NoMappingService { gateway: internal }, 2),
            (Cause::DeniedByRules { gateway, internal, port }, 3),
            (Cause::TableFull { gateway }, 3),
            (Cause::NotConnected { gateway }, 3),
            (Cause::DoubleNat { gateway, external: gateway }, 3),
            (Cause::CarrierNat { gateway, external: gateway }, 3),
            (Cause::AddressUnknown { gateway }, 3),
            (Cause::SwitchedOff { gateway }, 3),
            (Cause::NatBetween { gateway }, 3),
            (Cause::NotTranslated { internal }, 3),
            (Cause::PinholeForbidden { gateway }, 3),
            (Cause::Refused { gateway, code: Code::Upnp(501) }, 3),
            (Cause::LeftBehind { gateway, port, lease: None }, 3),
            (Cause::PortTaken { gateway, port }, 4),
            (Cause::PortsExhausted { gateway, first: port, last: port }, 4),
            (Cause::SamePortOnly { gateway }, 4),
            (Cause::NoAnswer { gateway }, 6),
            (Cause::Unconfirmed { gateway }, 6),
        ] {
            assert_eq!(ExitCode::from(&cause) as u8, code, "{cause}");
        }
    }

    #[test]
    fn every_code_is_explained() {
        for code in 0..=6 {
            assert!(EXIT_CODES.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
