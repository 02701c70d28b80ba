//! Why there is no mapping, in the user's words, and what to do about it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use crate::address::{Reach, reach};
use crate::client::{Absence, Refusal};

/// [`Display`](fmt::Display) says what happened; [`Cause::cure`] what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    NoGateway,
    NoMappingService {
        gateway: SocketAddr,
    },
    /// The gateway stopped answering, or answers what nobody can read.
    NoAnswer {
        gateway: IpAddr,
    },
    DeniedByRules {
        gateway: IpAddr,
        internal: IpAddr,
        port: NonZeroU16,
    },
    PortsExhausted {
        gateway: IpAddr,
        first: NonZeroU16,
        last: NonZeroU16,
    },
    TableFull {
        gateway: IpAddr,
    },
    NotConnected {
        gateway: IpAddr,
    },
    /// The gateway is itself behind a NAT.
    DoubleNat {
        gateway: IpAddr,
        external: IpAddr,
    },
    CarrierNat {
        gateway: IpAddr,
        external: IpAddr,
    },
    Unconfirmed {
        gateway: IpAddr,
    },
    Refused {
        gateway: IpAddr,
        code: u16,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGateway => write!(formatter, "no router here answers PCP, NAT-PMP or UPnP"),
            Self::NoMappingService { gateway } => {
                write!(formatter, "{gateway} answers UPnP, but offers no service that maps ports")
            }
            Self::NoAnswer { gateway } => {
                write!(formatter, "the router {gateway} gave no usable answer in time")
            }
            Self::DeniedByRules { gateway, port, .. } => {
                write!(formatter, "the router {gateway} forbids mapping port {port}")
            }
            Self::PortsExhausted { gateway, first, last } => {
                write!(
                    formatter,
                    "every port that the router {gateway} allows from {first} to {last} is taken"
                )
            }
            Self::TableFull { gateway } => {
                write!(formatter, "the router {gateway} has no room for another mapping")
            }
            Self::NotConnected { gateway } => {
                write!(formatter, "the router {gateway} says that it has no connection to the internet")
            }
            Self::DoubleNat { gateway, external } => {
                write!(
                    formatter,
                    "the router {gateway} is itself behind a NAT (its own address is {external})"
                )
            }
            Self::CarrierNat { gateway, external } => {
                write!(
                    formatter,
                    "the provider of the router {gateway} shares {external} among its customers"
                )
            }
            Self::Unconfirmed { gateway } => {
                write!(formatter, "the router {gateway} accepts the mapping, but does not make it")
            }
            Self::Refused { gateway, code } => {
                write!(formatter, "the router {gateway} refuses the mapping (error {code})")
            }
        }
    }
}

impl Cause {
    pub(crate) fn of_absence(absence: &Absence) -> Self {
        match absence {
            Absence::NoService(gateway) => Self::NoMappingService { gateway: *gateway },
            Absence::NoAnswer | Absence::Refused | Absence::VersionUnsupported { .. } => Self::NoGateway,
        }
    }

    /// An external address that is not public explains a refusal better than the gateway's code does.
    pub(crate) fn of_refusal(refusal: &Refusal, gateway: IpAddr, external: Option<IpAddr>) -> Self {
        match refusal {
            Refusal::NoAnswer => return Self::NoAnswer { gateway },
            Refusal::Unconfirmed => return Self::Unconfirmed { gateway },
            Refusal::NoResources { .. } => return Self::TableFull { gateway },
            _ => {}
        }
        if let Some(cause) = Self::of_external_address(gateway, external) {
            return cause;
        }
        match refusal {
            Refusal::NetworkFailure { .. } => Self::NotConnected { gateway },
            Refusal::Unsupported { code } | Refusal::Other { code } => Self::Refused { gateway, code: *code },
            Refusal::SamePortRequired => Self::Refused { gateway, code: 724 },
            Refusal::CannotProvideExternal => Self::Refused { gateway, code: 716 },
            Refusal::NotAuthorized => Self::Refused { gateway, code: 606 },
            Refusal::Conflict => Self::Refused { gateway, code: 718 },
            Refusal::AddressMismatch
            | Refusal::NoResources { .. }
            | Refusal::Unconfirmed
            | Refusal::NoAnswer => Self::Unconfirmed { gateway },
        }
    }

    /// What an external address that is not public says of the network above the gateway.
    #[must_use]
    pub fn of_external_address(gateway: IpAddr, external: Option<IpAddr>) -> Option<Self> {
        let Some(external) = external else { return Some(Self::NotConnected { gateway }) };
        match reach(external) {
            Reach::Public => None,
            Reach::Private => Some(Self::DoubleNat { gateway, external }),
            Reach::CarrierShared => Some(Self::CarrierNat { gateway, external }),
            Reach::Unspecified => Some(Self::NotConnected { gateway }),
        }
    }

    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            Self::NoGateway => {
                "switch one of them on in the router, or forward a UDP port there and use -p".into()
            }
            Self::NoMappingService { .. } => {
                "switch UPnP port mapping (\"IGD\") on in the router, or forward a UDP port there and use -p"
                    .into()
            }
            Self::NoAnswer { .. } => {
                "restart the router's UPnP service, or forward a UDP port there and use -p".into()
            }
            Self::DeniedByRules { internal, port, .. } => format!(
                "allow it there (miniupnpd.conf, before the deny line: \
                 'allow 60000-61000 {internal}/32 60000-61000'), or use -p with an allowed port instead of {port}"
            ),
            Self::PortsExhausted { .. } => {
                "end sessions that are no longer used, or allow more ports there".into()
            }
            Self::TableFull { .. } => "delete mappings that are no longer used, or restart the router".into(),
            Self::NotConnected { .. } => "check the router's connection".into(),
            Self::DoubleNat { external, .. } => {
                format!("forward UDP to {external} on the NAT above it, or put this router into bridge mode")
            }
            Self::CarrierNat { .. } => "ask the provider for an address of your own, or use IPv6".into(),
            Self::Unconfirmed { .. } => {
                "restart the router; if it stays so, forward a UDP port there and use -p".into()
            }
            Self::Refused { .. } => {
                "look into the router's log, or forward a UDP port there and use -p".into()
            }
        }
    }
}
