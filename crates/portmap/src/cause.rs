//! Why there is no mapping, and what to do about the gateway.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::{Reach, reach};
use crate::client::{Absence, Code, Refusal};

/// RFC 6887 §7.4.
const CANNOT_PROVIDE_EXTERNAL: u8 = 11;

/// [`Display`](fmt::Display) says what happened; [`Cause::remedy`] what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        /// What was to be reached.
        internal: SocketAddr,
        port: NonZeroU16,
    },
    /// The only port that would do is somebody else's.
    PortTaken {
        gateway: IpAddr,
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
    /// It may be disconnected, or ashamed of a private one (miniupnpd).
    AddressUnknown {
        gateway: IpAddr,
    },
    /// It speaks the protocol to say that it will not serve it.
    SwitchedOff {
        gateway: IpAddr,
    },
    SamePortOnly {
        gateway: IpAddr,
    },
    /// The gateway that answers is not the next one: it sees a NAT in this host's place.
    NatBetween {
        gateway: IpAddr,
    },
    /// A firewall opens a port, it does not move it.
    NotTranslated {
        internal: SocketAddr,
    },
    PinholeForbidden {
        gateway: IpAddr,
    },
    Unconfirmed {
        gateway: IpAddr,
    },
    /// It has added what will not do, and does not delete it.
    LeftBehind {
        gateway: IpAddr,
        port: NonZeroU16,
        /// `None`: until somebody deletes it.
        lease: Option<Duration>,
    },
    Refused {
        gateway: IpAddr,
        code: Code,
    },
}

/// What is known of a gateway's external address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    /// PCP tells it with the mapping, and not before.
    Unasked,
    /// `None`: it was asked for in vain.
    Told(Option<IpAddr>),
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
            Self::PortTaken { gateway, port } => {
                write!(formatter, "port {port} of the router {gateway} is taken")
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
            Self::AddressUnknown { gateway } => {
                write!(formatter, "the router {gateway} tells no external address of its own")
            }
            Self::SwitchedOff { gateway } => {
                write!(formatter, "the router {gateway} has port mapping switched off")
            }
            Self::SamePortOnly { gateway } => {
                write!(
                    formatter,
                    "the router {gateway} maps a port to the same number only, and that one is taken"
                )
            }
            Self::NatBetween { gateway } => {
                write!(formatter, "another NAT stands between this host and the router {gateway}")
            }
            Self::NotTranslated { internal } => {
                write!(formatter, "{internal} has the same port outside as inside, and no other")
            }
            Self::PinholeForbidden { gateway } => {
                write!(formatter, "the router {gateway} does not let this host open its IPv6 firewall")
            }
            Self::Unconfirmed { gateway } => {
                write!(formatter, "the router {gateway} accepts the mapping, but does not make it")
            }
            Self::LeftBehind { gateway, port, .. } => write!(
                formatter,
                "the router {gateway} may keep a mapping of port {port} that serves nobody, and does not delete it"
            ),
            Self::Refused { gateway, code } => {
                write!(formatter, "the router {gateway} refuses the mapping ({code})")
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
    pub(crate) fn of_refusal(refusal: &Refusal, gateway: IpAddr, outside: Outside) -> Self {
        match refusal {
            Refusal::NoAnswer => return Self::NoAnswer { gateway },
            Refusal::Unconfirmed => return Self::Unconfirmed { gateway },
            Refusal::LeftBehind { port, lease } => {
                return Self::LeftBehind { gateway, port: *port, lease: *lease };
            }
            Refusal::NoResources => return Self::TableFull { gateway },
            Refusal::AddressMismatch => return Self::NatBetween { gateway },
            Refusal::NetworkFailure => return Self::NotConnected { gateway },
            Refusal::SamePortRequired => return Self::SamePortOnly { gateway },
            _ => {}
        }
        let outside = match refusal {
            Refusal::BehindNat { external } => Outside::Told(Some(*external)),
            _ => outside,
        };
        // An IPv6 gateway has none.
        if gateway.is_ipv4()
            && let Outside::Told(external) = outside
            && let Some(cause) = Self::of_external_address(gateway, external)
        {
            return cause;
        }
        match refusal {
            Refusal::Unsupported { code } | Refusal::Other { code } => Self::Refused { gateway, code: *code },
            Refusal::NotAuthorized if gateway.is_ipv6() => Self::PinholeForbidden { gateway },
            Refusal::NotAuthorized => Self::SwitchedOff { gateway },
            Refusal::CannotProvideExternal => {
                Self::Refused { gateway, code: Code::Pcp(CANNOT_PROVIDE_EXTERNAL) }
            }
            Refusal::Conflict
            | Refusal::AddressMismatch
            | Refusal::BehindNat { .. }
            | Refusal::NoResources
            | Refusal::NetworkFailure
            | Refusal::SamePortRequired
            | Refusal::Unconfirmed
            | Refusal::LeftBehind { .. }
            | Refusal::NoAnswer => Self::Unconfirmed { gateway },
        }
    }

    /// Where a protocol is refused as a whole, before anything was asked for.
    pub(crate) fn of_refused_protocol(refusal: &Refusal, gateway: IpAddr) -> Self {
        match refusal {
            Refusal::NotAuthorized => Self::SwitchedOff { gateway },
            refusal => Self::of_refusal(refusal, gateway, Outside::Unasked),
        }
    }

    /// What an external address that is not public says of the network above the gateway.
    #[must_use]
    pub fn of_external_address(gateway: IpAddr, external: Option<IpAddr>) -> Option<Self> {
        let Some(external) = external else { return Some(Self::AddressUnknown { gateway }) };
        match reach(external) {
            Reach::Public => None,
            Reach::Private => Some(Self::DoubleNat { gateway, external }),
            Reach::CarrierShared => Some(Self::CarrierNat { gateway, external }),
            Reach::Unspecified => Some(Self::NotConnected { gateway }),
        }
    }

    /// Of several protocols' causes the user reads one. What stands in the way of all of them comes first, and what
    /// somebody has to clear away, then what a router said about the mapping. Of the rest most is told by one that has
    /// answered and then kept silent: what offers no service may just not have described itself in time, and that a
    /// protocol was not heard says least.
    pub(crate) fn tells_less(&self) -> u8 {
        match self {
            Self::LeftBehind { .. }
            | Self::DoubleNat { .. }
            | Self::CarrierNat { .. }
            | Self::NatBetween { .. } => 0,
            Self::NoAnswer { .. } => 2,
            Self::NoMappingService { .. } => 3,
            Self::NoGateway => 4,
            _ => 1,
        }
    }

    /// Whether no router has said a word about the mapping.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::NoMappingService { .. } | Self::NoGateway)
    }

    /// Whether what was wanted is somebody else's now.
    pub(crate) fn is_of_another(&self) -> bool {
        matches!(self, Self::PortTaken { .. })
    }

    /// What to do about the router. Of ports that are all `alike` the rule that would allow one allows each.
    #[must_use]
    pub fn remedy(&self, alike: &RangeInclusive<u16>) -> String {
        match self {
            Self::NoGateway => "switch one of them on in the router".into(),
            Self::NoMappingService { .. } => "switch UPnP port mapping (\"IGD\") on in the router".into(),
            Self::NoAnswer { .. } => "restart the router's UPnP service".into(),
            Self::DeniedByRules { internal, port, .. } => {
                let (outside, inside) = rule_ports(*port, internal.port(), alike);
                format!(
                    "allow it there (miniupnpd.conf, before the deny line: \
                     'allow {outside} {}/32 {inside}')",
                    internal.ip()
                )
            }
            Self::PortTaken { .. } => "ask for another one, or end what uses it".into(),
            Self::PortsExhausted { .. } => {
                "end sessions that are no longer used, or allow more ports there".into()
            }
            Self::TableFull { .. } => "delete mappings that are no longer used, or restart the router".into(),
            Self::NotConnected { .. } => "check the router's connection".into(),
            Self::AddressUnknown { .. } => {
                "check its connection; if another NAT stands above it, forward UDP there, too".into()
            }
            Self::SwitchedOff { .. } => "switch it on there".into(),
            Self::SamePortOnly { .. } => "choose another port".into(),
            Self::DoubleNat { external, .. } => {
                format!("forward UDP to {external} on the NAT above it, or put this router into bridge mode")
            }
            Self::NatBetween { .. } => "forward a UDP port on every NAT on the way".into(),
            Self::CarrierNat { .. } => "ask the provider for an address of your own, or use IPv6".into(),
            Self::NotTranslated { internal } => format!("ask for port {}", internal.port()),
            Self::PinholeForbidden { .. } => {
                "allow it there, or allow the UDP port by hand; ports below 1024 are often refused".into()
            }
            Self::Unconfirmed { .. } => "restart the router".into(),
            Self::LeftBehind { port, lease, .. } => match lease {
                Some(lease) => format!(
                    "it ends by itself within {} min, or delete port {port} on the router's page of UPnP mappings",
                    lease.as_secs().div_ceil(60)
                ),
                None => {
                    format!("delete port {port} on the router's page of UPnP mappings, or restart the router")
                }
            },
            Self::Refused { .. } => "look into the router's log".into(),
        }
    }
}

/// The ports of the line to add.
fn rule_ports(external: NonZeroU16, internal: u16, alike: &RangeInclusive<u16>) -> (String, String) {
    match alike.contains(&external.get()) && alike.contains(&internal) {
        true => {
            let range = format!("{}-{}", alike.start(), alike.end());
            (range.clone(), range)
        }
        false => (external.to_string(), internal.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(external: u16, internal: &str) -> String {
        let (gateway, internal) = ("192.168.1.1".parse().unwrap(), internal.parse().unwrap());
        let port = NonZeroU16::new(external).unwrap();
        Cause::DeniedByRules { gateway, internal, port }.remedy(&(60000..=61000))
    }

    #[test]
    fn what_a_router_said_is_told_before_silence_and_silence_before_nobody() {
        let gateway: IpAddr = "192.168.1.1".parse().unwrap();
        let external = "10.0.0.2".parse().unwrap();
        let causes = [
            Cause::DoubleNat { gateway, external },
            Cause::TableFull { gateway },
            Cause::NoAnswer { gateway },
            Cause::NoMappingService { gateway: (gateway, 5000).into() },
            Cause::NoGateway,
        ];
        assert!(causes.is_sorted_by(|one, next| one.tells_less() < next.tells_less()));
    }

    #[test]
    fn the_rule_to_add_is_for_all_ports_that_are_alike_or_for_this_one() {
        let cure = denied(60001, "192.168.1.10:60001");
        assert!(cure.contains("'allow 60000-61000 192.168.1.10/32 60000-61000'"), "{cure}");
        let cure = denied(8022, "192.168.1.10:22");
        assert!(cure.contains("'allow 8022 192.168.1.10/32 22'"), "{cure}");
    }
}
