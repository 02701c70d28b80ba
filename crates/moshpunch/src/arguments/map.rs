//! What can be said to `moshpunch map`.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use host::map::{Add, Answer, Command, EXIT_CODES, Remove, Renew, Where};
use portmap::mapper::Protocol;
use portmap::mapping::Transport;

#[derive(Debug, Subcommand)]
pub(crate) enum MapCommand {
    /// Map a port of the router to a port of this host
    #[command(after_help = EXIT_CODES)]
    Add(AddArguments),
    /// Ask for more time for a mapping that `map add` made
    #[command(after_help = EXIT_CODES)]
    Renew(RenewArguments),
    /// Remove mappings that `map add` made
    #[command(after_help = EXIT_CODES)]
    Remove(RemoveArguments),
    /// Show what the router has mapped, and whose it is
    #[command(after_help = EXIT_CODES)]
    List(ListArguments),
    /// Show which gateways answer by which protocol, and if none does, why
    #[command(after_help = EXIT_CODES)]
    Gateway(GatewayArguments),
}

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// The port of this host
    pub(crate) port: NonZeroU16,

    /// The router's port, and no other [default: PORT, or another one near it]
    #[arg(long, value_name = "PORT")]
    pub(crate) external: Option<NonZeroU16>,

    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) protocol: ProtocolChoice,

    /// How long the router is to keep the mapping without hearing from us
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = value_parser!(u32).range(1..=604_800))]
    pub(crate) lease: u32,

    #[arg(long, value_enum, default_value = "udp")]
    pub(crate) transport: TransportChoice,

    /// What the mapping is called in the router's table; an id is put behind it; moshpunch USER@HOST if nothing is said
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,

    /// Stay, renew the mapping, and remove it at Ctrl-C or SIGTERM
    #[arg(long)]
    pub(crate) keep: bool,

    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RenewArguments {
    /// The port of this host
    pub(crate) port: NonZeroU16,

    /// Only the mapping of this port of the router
    #[arg(long, value_name = "PORT")]
    pub(crate) external: Option<NonZeroU16>,

    #[arg(long, value_enum, default_value = "udp")]
    pub(crate) transport: TransportChoice,

    /// How long from now on [default: as it was added]
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..=604_800))]
    pub(crate) lease: Option<u32>,

    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    /// The port of this host
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) port: Option<NonZeroU16>,

    /// Only the mapping of this port of the router
    #[arg(long, value_name = "PORT", conflicts_with = "all")]
    pub(crate) external: Option<NonZeroU16>,

    #[arg(long, value_enum, default_value = "udp", conflicts_with = "all")]
    pub(crate) transport: TransportChoice,

    /// Every mapping that this user's `map add` made on this host
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GatewayArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

/// Where to ask.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// Which address of this host [default: the one toward the gateway]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) internal: Option<Ipv4Addr>,

    /// Which gateway to ask [default: the router of the default route]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) gateway: Option<Ipv4Addr>,
}

/// How to answer.
#[derive(Debug, Args)]
pub(crate) struct AnswerArguments {
    /// How long to wait for the router at the most, up to 60 [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) budget: Option<f64>,

    /// Print one JSON value, as docs/map.md describes it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProtocolChoice {
    Auto,
    Pcp,
    NatPmp,
    Upnp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportChoice {
    Udp,
    Tcp,
}

impl MapCommand {
    pub(crate) fn into_parts(self) -> (Command, Answer) {
        match self {
            Self::Add(AddArguments {
                port,
                external,
                protocol,
                lease,
                transport,
                description,
                keep,
                place,
                answer,
            }) => {
                let (protocols, transport, lease) = (protocol.into(), transport.into(), seconds(lease));
                let place = place.into();
                let add = Add { port, external, protocols, lease, transport, description, keep, place };
                (Command::Add(add), answer.into())
            }
            Self::Renew(RenewArguments { port, external, transport, lease, answer }) => {
                let (transport, lease) = (transport.into(), lease.map(seconds));
                (Command::Renew(Renew { port, external, transport, lease }), answer.into())
            }
            Self::Remove(RemoveArguments { port, external, transport, all: _, answer }) => {
                let transport = transport.into();
                let remove = port.map_or(Remove::All, |port| Remove::Of { port, external, transport });
                (Command::Remove(remove), answer.into())
            }
            Self::List(ListArguments { place, answer }) => (Command::List(place.into()), answer.into()),
            Self::Gateway(GatewayArguments { place, answer }) => {
                (Command::Gateway(place.into()), answer.into())
            }
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

impl From<ProtocolChoice> for Vec<Protocol> {
    fn from(choice: ProtocolChoice) -> Self {
        match choice {
            ProtocolChoice::Auto => Protocol::ALL.to_vec(),
            ProtocolChoice::Pcp => vec![Protocol::Pcp],
            ProtocolChoice::NatPmp => vec![Protocol::NatPmp],
            ProtocolChoice::Upnp => vec![Protocol::Upnp],
        }
    }
}

impl From<TransportChoice> for Transport {
    fn from(choice: TransportChoice) -> Self {
        match choice {
            TransportChoice::Udp => Self::Udp,
            TransportChoice::Tcp => Self::Tcp,
        }
    }
}

impl From<PlaceArguments> for Where {
    fn from(PlaceArguments { internal, gateway }: PlaceArguments) -> Self {
        Self { internal, gateway }
    }
}

impl From<AnswerArguments> for Answer {
    fn from(AnswerArguments { budget, json }: AnswerArguments) -> Self {
        Self { budget, json }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{self, Arguments};

    fn parsed(line: &str) -> Result<(Command, Answer), clap::Error> {
        let words = ["moshpunch", "map"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words)?.command {
            arguments::Command::Map(command) => Ok(command.into_parts()),
            other => panic!("{other:?}"),
        }
    }

    fn added(line: &str) -> Add {
        match parsed(&format!("add {line}")).unwrap() {
            (Command::Add(add), _) => add,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_port_alone_means_udp_for_an_hour_by_any_protocol() {
        let expected = Add {
            port: NonZeroU16::new(60001).unwrap(),
            external: None,
            protocols: Protocol::ALL.to_vec(),
            lease: Duration::from_secs(3_600),
            transport: Transport::Udp,
            description: None,
            keep: false,
            place: Where::default(),
        };
        assert_eq!(added("60001"), expected);
    }

    #[test]
    fn every_choice_is_taken_over() {
        let all = added(
            "22 --transport tcp --protocol nat-pmp --lease 60 --description game --external 8022 --keep",
        );
        assert_eq!((all.transport, all.keep), (Transport::Tcp, true));
        assert_eq!(all.protocols, [Protocol::NatPmp]);
        assert_eq!((all.lease.as_secs(), all.description.as_deref()), (60, Some("game")));
        assert_eq!(all.external, NonZeroU16::new(8022));
        assert_eq!(added("1 --protocol pcp").protocols, [Protocol::Pcp]);
        assert_eq!(added("1 --protocol upnp").protocols, [Protocol::Upnp]);
    }

    #[test]
    fn all_or_one_is_removed() {
        let removed = |line| match parsed(line).unwrap() {
            (Command::Remove(remove), _) => remove,
            other => panic!("{other:?}"),
        };
        assert!(matches!(removed("remove --all"), Remove::All));
        assert!(matches!(removed("remove 22 --transport tcp"), Remove::Of { transport: Transport::Tcp, .. }));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in
            ["0", "65536", "", "1 --lease 0", "1 --lease 604801", "1 --external 0", "1 --gateway fe80::1"]
        {
            assert!(parsed(&format!("add {line}")).is_err(), "{line}");
        }
    }
}
