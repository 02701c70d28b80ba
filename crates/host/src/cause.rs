//! Why a session has no mapping: a value among the processes of a host, words in the end.

use std::ops::RangeInclusive;

use portmap::cause::Cause as Gateways;
use report::{Explain, Machine, Step};
use serde::{Deserialize, Serialize};

use crate::punch::Obstacle;

/// mosh(1), `--port`, rounded: a rule that allows one session allows all.
pub(crate) const MOSH_PORTS: RangeInclusive<u16> = 60000..=61000;

const LET_THROUGH: &str = "have UDP let through to the host, or ask who looks after it";

pub(crate) type Trouble = report::Trouble<Cause>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// What the gateways say of it.
    Gateways(Gateways),
    TooSlow,
    /// A setting cannot hold.
    Misconfigured(String),
    /// Something of ours does not work.
    Broken(String),
    /// The configuration lets no datagrams go over ssh.
    NotCarried,
    /// Datagrams that ssh brings would not reach mosh-server.
    Uncarried(String),
    /// The configuration lets nothing be sent from mosh-server's socket.
    NotPunched,
    /// Nothing can be sent from there.
    NotBorrowed(Obstacle),
    /// Later logins will not find the keeper.
    NotListening(String),
    /// This login does not find the keeper.
    NotAttached(String),
}

impl Cause {
    pub(crate) fn misconfigured(error: &anyhow::Error) -> Self {
        Self::Misconfigured(format!("{error:#}"))
    }

    pub(crate) fn broken(error: &anyhow::Error) -> Self {
        Self::Broken(format!("{error:#}"))
    }

    pub(crate) fn trouble(self) -> Trouble {
        let (machine, step) = match self {
            Self::Gateways(_) | Self::TooSlow => (Machine::Router, Step::Mapping),
            Self::Misconfigured(_) => (Machine::Host, Step::Configuration),
            Self::Broken(_) => (Machine::Host, Step::Mapping),
            Self::NotCarried
            | Self::Uncarried(_)
            | Self::NotPunched
            | Self::NotBorrowed(_)
            | Self::NotListening(_)
            | Self::NotAttached(_) => (Machine::Host, Step::Session),
        };
        Trouble { machine, step, cause: self }
    }
}

impl Explain for Cause {
    fn what(&self) -> String {
        match self {
            Self::Gateways(cause) => cause.to_string(),
            Self::TooSlow => "the router did not answer in time".into(),
            Self::Misconfigured(what) | Self::Broken(what) => what.clone(),
            Self::NotCarried => "the host's configuration (carry = false) lets no session go over ssh".into(),
            Self::Uncarried(what) => format!("ssh cannot carry the session to mosh-server: {what}"),
            Self::NotPunched => {
                "the host's configuration (punch = false) opens no way for UDP from there".into()
            }
            Self::NotBorrowed(obstacle) => {
                format!("the host cannot open a way for UDP from mosh-server's port: {}", hindrance(obstacle))
            }
            Self::NotListening(what) => format!("later logins will not hear of the router: {what}"),
            Self::NotAttached(what) => format!("this login does not hear of the router: {what}"),
        }
    }

    fn cure(&self) -> Option<String> {
        let cure = match self {
            Self::Gateways(cause) => cure(cause),
            Self::TooSlow => {
                "it goes on in the background for a while; if that is not enough, give it more time with --budget"
                    .into()
            }
            Self::Misconfigured(_) => "correct the setting, then connect again".into(),
            Self::Broken(_) | Self::Uncarried(_) => "connect again; if it stays so, report it".into(),
            Self::NotCarried | Self::NotPunched => LET_THROUGH.into(),
            Self::NotBorrowed(obstacle) => way_around(obstacle),
            Self::NotListening(_) | Self::NotAttached(_) => {
                "the session goes on; if it loses its way in another network, begin another one".into()
            }
        };
        Some(cure)
    }
}

fn hindrance(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Scope(scope) => format!("kernel.yama.ptrace_scope is {scope} there"),
        Obstacle::Forbidden => {
            "mosh-server may not be looked at (ptrace(2)), or a filter of system calls (seccomp) forbids pidfd_getfd".into()
        }
        Obstacle::NoSuchCall => {
            "its kernel is older than Linux 5.6, or a filter of system calls (seccomp) hides pidfd_getfd".into()
        }
        Obstacle::Other(what) => what.clone(),
    }
}

fn way_around(obstacle: &Obstacle) -> String {
    let removal = match obstacle {
        Obstacle::Scope(_) => "have kernel.yama.ptrace_scope set to 1 there",
        Obstacle::Forbidden => "have mosh-server be readable by all (mode 755) there, or the call allowed",
        Obstacle::NoSuchCall => "have a newer kernel there, or the call allowed",
        Obstacle::Other(_) => "connect again",
    };
    format!("{removal}; else {LET_THROUGH}")
}

/// What to do, for somebody who starts a session.
fn cure(cause: &Gateways) -> String {
    let remedy = cause.remedy(&MOSH_PORTS);
    match cause {
        Gateways::NoGateway
        | Gateways::NoMappingService { .. }
        | Gateways::NoAnswer { .. }
        | Gateways::SwitchedOff { .. }
        | Gateways::Refused { .. } => {
            format!("{remedy}, or forward a UDP port there and use -p")
        }
        Gateways::Unconfirmed { .. } => {
            format!("{remedy}; if it stays so, forward a UDP port there and use -p")
        }
        Gateways::LeftBehind { .. } => format!("{remedy}; forward a UDP port there and use -p"),
        Gateways::NatBetween { .. } | Gateways::SamePortOnly { .. } => format!("{remedy} and use -p"),
        Gateways::DeniedByRules { port, .. } => {
            format!("{remedy}, or use -p with an allowed port instead of {port}")
        }
        Gateways::PortTaken { .. }
        | Gateways::PortsExhausted { .. }
        | Gateways::TableFull { .. }
        | Gateways::NotConnected { .. }
        | Gateways::AddressUnknown { .. }
        | Gateways::DoubleNat { .. }
        | Gateways::CarrierNat { .. }
        | Gateways::NotTranslated { .. }
        | Gateways::PinholeForbidden { .. } => remedy,
    }
}
