//! What can be said to `moshpunch router`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use router::check::Check;
use router::setup::{self, Setup};
use router::{CHECK_EXIT_CODES, MOSH_PORTS, Network, PortRange, Server, guard};

#[derive(Debug, Subcommand)]
pub(crate) enum RouterCommand {
    /// Show what has to be changed here for mosh, and change it with --apply
    Setup(SetupArguments),
    /// Say what is wrong with this router, and what to do about it
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(CheckArguments),
    /// Hold every mapped UDP port, so that this router's own mosh-server takes another
    Guard(GuardArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SetupArguments {
    /// Make the changes; without this they are only shown
    #[arg(long)]
    pub(crate) apply: bool,

    /// Put back what was there before the first --apply
    #[arg(long, conflicts_with_all = ["apply", "wan", "lan", "network", "range", "server", "platform"])]
    pub(crate) revert: bool,

    /// Revert files that were edited since, too
    #[arg(long, requires = "revert")]
    pub(crate) discard_edits: bool,

    /// The interface outside [default: that of the default route]
    #[arg(long, value_name = "INTERFACE", value_parser = interface_name)]
    pub(crate) wan: Option<String>,

    /// The interface inside [default: the other one with a private address]
    #[arg(long, value_name = "INTERFACE", value_parser = interface_name)]
    pub(crate) lan: Option<String>,

    /// Who may map ports [default: the network of the interface inside]
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    pub(crate) network: Option<Network>,

    /// The ports that may be mapped [default: 60000-60023, or five from 60001 on for each host with --server]
    #[arg(long, value_name = "FIRST-LAST")]
    pub(crate) range: Option<PortRange>,

    /// Divide the range between the router itself and these servers; may be repeated
    #[arg(long, visible_alias = "plan", value_name = "NAME=ADDRESS", value_parser = server)]
    pub(crate) server: Vec<Server>,

    /// What runs on the router; for openwrt, commands are printed that make the same there
    #[arg(long = "for", id = "platform", value_name = "SYSTEM", value_enum, default_value = "debian")]
    pub(crate) platform: Platform,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The configuration that miniupnpd runs with
    #[arg(long, value_name = "PATH", default_value = "/etc/miniupnpd/miniupnpd.conf")]
    pub(crate) miniupnpd_conf: PathBuf,

    /// Print one JSON value, as docs/router.md describes it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GuardArguments {
    /// Lead clients inside, too, from the outside address and a mapped port to the server
    #[arg(long)]
    pub(crate) hairpin: bool,

    /// The ports that this router's own mosh-servers may take; no other is held
    #[arg(long, value_name = "FIRST-LAST", default_value_t = MOSH_PORTS, value_parser = ports_of_users)]
    pub(crate) ports: PortRange,

    /// How miniupnpd is configured
    #[arg(long, value_name = "PATH", default_value = "/etc/miniupnpd/miniupnpd.conf")]
    pub(crate) miniupnpd_conf: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    Debian,
    Openwrt,
}

/// It is written into files of others, so nothing but what a name is made of.
fn interface_name(text: &str) -> Result<String, String> {
    // IFNAMSIZ, less the zero.
    let has_length = (1..=15).contains(&text.len());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:@".contains(&byte);
    match has_length && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("an interface's name has 1 to 15 letters, digits and . _ - : @".into()),
    }
}

/// Those below are the system's (RFC 6335, section 6).
const FIRST_PORT_OF_USERS: u16 = 1024;

fn ports_of_users(text: &str) -> Result<PortRange, String> {
    let ports: PortRange = text.parse().map_err(|error| format!("{error}"))?;
    match ports.first >= FIRST_PORT_OF_USERS {
        true => Ok(ports),
        false => {
            Err(format!("mosh-servers are not on ports below {FIRST_PORT_OF_USERS}, which are the system's"))
        }
    }
}

fn server(text: &str) -> Result<Server, String> {
    let (name, address) = text.split_once('=').ok_or("it is NAME=ADDRESS")?;
    let address = address.parse().map_err(|_| format!("{address} is no IPv4 address"))?;
    Ok(Server { name: name.to_owned(), address })
}

impl From<SetupArguments> for Setup {
    fn from(arguments: SetupArguments) -> Self {
        let SetupArguments {
            apply,
            revert,
            discard_edits,
            wan,
            lan,
            network,
            range,
            server: servers,
            platform,
        } = arguments;
        let platform = match platform {
            Platform::Debian => setup::Platform::Debian,
            Platform::Openwrt => setup::Platform::Openwrt,
        };
        Self { apply, revert, discard_edits, wan, lan, network, range, servers, platform }
    }
}

impl From<CheckArguments> for Check {
    fn from(CheckArguments { miniupnpd_conf, json }: CheckArguments) -> Self {
        Self { miniupnpd_conf, json }
    }
}

impl From<GuardArguments> for guard::Asked {
    fn from(GuardArguments { hairpin, ports, miniupnpd_conf }: GuardArguments) -> Self {
        Self { hairpin, ports, miniupnpd_conf }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_name_cannot_carry_anything_else() {
        for name in ["wan0", "eth0.7", "br-lan", "enp3s0f1np1"] {
            assert!(interface_name(name).is_ok(), "{name}");
        }
        for name in ["", "wan0\" drop", "a\nb", "sixteen-letters-"] {
            assert!(interface_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn no_port_of_the_system_can_be_held() {
        assert_eq!(ports_of_users("60001-60005"), Ok(PortRange::new(60001, 60005)));
        assert!(ports_of_users("1023-60005").unwrap_err().contains("below 1024"));
        assert!(ports_of_users("53").is_err() && ports_of_users("60005-60001").is_err());
    }

    #[test]
    fn a_server_is_a_name_and_an_address() {
        assert_eq!(server("a=192.168.1.10").unwrap().name, "a");
        assert_eq!(server("a=b").unwrap_err(), "b is no IPv4 address");
        assert_eq!(server("a").unwrap_err(), "it is NAME=ADDRESS");
    }
}
