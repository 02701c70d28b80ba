//! What the user said. Only validated here; [`configuration`](crate::configuration) resolves it.

mod connect;
mod flags;
mod map;
mod router;
mod sessions;

use std::ffi::OsString;

use clap::builder::{FalseyValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use host::server::{self, OFFER_VARIABLE};

pub(crate) use self::connect::{ConnectArguments, Order, is_own_command};
use self::flags::Flags;
pub(crate) use self::map::MapCommand;
pub(crate) use self::router::RouterCommand;
pub(crate) use self::sessions::{Asked, SessionsCommand};

/// With the target that this program was built for, and its commit, if it is a release build.
pub(crate) const VERSION: &str = env!("MOSHPUNCH_VERSION");

/// What begins with the name of a command; all else is [`ConnectArguments`].
#[derive(Debug, Parser)]
#[command(name = "moshpunch", version = VERSION, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Each is put together only when it is asked for.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Start mosh-server, and make it reachable through the router (run by ssh: `mosh --server="moshpunch server"`)
    Server(ServerArguments),
    /// Show your mosh sessions on a host, and end them (see docs/sessions.md)
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Map ports of the router by hand, and see what it has mapped (see docs/map.md)
    #[command(subcommand)]
    Map(MapCommand),
    /// Set up a router that runs miniupnpd, check it, and share its ports (see docs/router.md, docs/guard.md)
    #[command(subcommand)]
    Router(RouterCommand),
}

#[derive(Debug, Args)]
#[command(override_usage = "moshpunch server [OPTIONS] new [MOSH-SERVER ARGUMENTS]...")]
pub(crate) struct ServerArguments {
    #[command(flatten)]
    pub(crate) flags: Flags<host::configuration::Configuration>,

    /// Tell moshpunch's own client where else this host can be reached, and wait for nothing
    #[arg(long, env = OFFER_VARIABLE, value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub(crate) offer: bool,

    /// Talk on with moshpunch's own client: a new session's (1), or that of this id
    #[arg(long, env = wire::channel::VARIABLE, value_name = "SESSION", hide = true)]
    pub(crate) channel: Option<OsString>,

    /// Passed to mosh-server as they are: see mosh-server(1)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "MOSH-SERVER ARGUMENTS")]
    pub(crate) mosh_server_arguments: Vec<OsString>,
}

impl ServerArguments {
    /// What each login runs says nothing of ours on its command line, and need not wait for clap. `None`: it does, or is wrong.
    pub(crate) fn without_flags(
        words: &[OsString],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let [_, server, arguments @ ..] = words else { return None };
        // Anything else is an option, or a word for a host of the name `server`.
        let is_plain = arguments.first().is_some_and(|word| word == "new" || word == "offer");
        if server != "server" || !is_plain {
            return None;
        }
        let is_said =
            |value: OsString| FalseyValueParser::new().parse_ref(&clap::Command::new(""), None, &value);
        Some(Self {
            flags: Flags::unsaid(),
            offer: variable(OFFER_VARIABLE).map_or(Ok(false), is_said).ok()?,
            channel: variable(wire::channel::VARIABLE),
            mosh_server_arguments: arguments.to_vec(),
        })
    }
}

impl From<ServerArguments> for server::Asked {
    fn from(ServerArguments { offer, channel, mosh_server_arguments, .. }: ServerArguments) -> Self {
        Self { offer, channel, mosh_server_arguments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(line: &str) -> ServerArguments {
        match Arguments::try_parse_from(line.split_whitespace()).map(|arguments| arguments.command) {
            Ok(Command::Server(arguments)) => arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn everything_from_new_on_is_for_mosh_server() {
        for (line, expected) in [
            ("moshpunch server new", "new"),
            ("moshpunch server new -c 256 -s -l LANG=C.UTF-8", "new -c 256 -s -l LANG=C.UTF-8"),
            ("moshpunch server new -- bash -c true", "new -- bash -c true"),
            ("moshpunch server new --lease 3", "new --lease 3"),
            ("moshpunch server new --help", "new --help"),
            ("moshpunch server --lease 7 new -s", "new -s"),
        ] {
            let arguments = server(line).mosh_server_arguments;
            let words: Vec<_> = arguments.iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(words.join(" "), expected, "{line}");
        }
    }

    #[test]
    fn without_our_own_options_clap_is_not_asked_and_would_say_the_same() {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let plain = |line, variable: &dyn Fn(&str) -> Option<OsString>| {
            ServerArguments::without_flags(&words(line), variable)
        };
        for line in ["moshpunch server new -c 256 -s --lease 3 -- bash", "moshpunch server offer 60001"] {
            let arguments = plain(line, &|_| None).unwrap();
            assert_eq!(arguments.mosh_server_arguments, server(line).mosh_server_arguments);
            assert!(!arguments.offer && arguments.channel.is_none() && arguments.flags.said.is_empty());
        }
        for (text, offer) in [("1", true), ("", false), ("0", false), ("no", false), ("yes", true)] {
            let said = plain("moshpunch server new", &|name| (name == OFFER_VARIABLE).then(|| text.into()));
            assert_eq!(said.unwrap().offer, offer, "{text}");
        }
        let channel = plain("moshpunch server new", &|name| (name != OFFER_VARIABLE).then(|| "1".into()));
        assert_eq!(channel.unwrap().channel, Some("1".into()));
        for line in [
            "moshpunch server",
            "moshpunch server top",
            "moshpunch server --lease 7 new",
            "moshpunch server -h",
            "moshpunch map list",
        ] {
            assert!(plain(line, &|_| None).is_none(), "{line}");
        }
    }

    #[test]
    fn our_own_options_stand_before_new() {
        let arguments = server("moshpunch server --lease 7 --budget 0.5 new --lease 9");
        let said = arguments.flags.said.into_iter();
        let said: Vec<_> = said.map(|said| (said.name, said.text.unwrap().into_string().unwrap())).collect();
        assert_eq!(said, [("budget", "0.5".to_owned()), ("lease", "7".to_owned())]);
    }
}
