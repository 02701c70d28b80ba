//! What can be said to `moshpunch map`.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use clap::{Args, Subcommand, ValueEnum, value_parser};

use crate::exit_code::EXIT_CODES;

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
