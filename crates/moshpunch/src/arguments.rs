//! What the user said. Only validated here; [`configuration`](crate::configuration) resolves it.

mod connect;
mod flags;
mod map;
mod router;
mod sessions;

use std::ffi::OsString;

use clap::builder::FalseyValueParser;
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

#[derive(Debug, Subcommand)]
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
    /// As our own client has it said: clap has nothing to do, and a login waits for it.
    pub(crate) fn without_options(
        words: &[OsString],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let [_, server, said @ ..] = words else { return None };
        let is_offer = variable(OFFER_VARIABLE)? == "1";
        let is_plain =
            server == "server" && said.first().is_some_and(|word| word == "new" || word == "offer");
        (is_offer && is_plain).then(|| Self {
            flags: Flags::unsaid(),
            offer: true,
            channel: variable(wire::channel::VARIABLE),
            mosh_server_arguments: said.to_vec(),
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
    fn what_our_client_has_said_is_what_clap_would_say() {
        let set = |name: &str| match name {
            OFFER_VARIABLE => Some("1".into()),
            _ => Some("new".into()),
        };
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in ["moshpunch server new -c 256 -- top", "moshpunch server offer 60001"] {
            let words = words(line);
            let said = ServerArguments::without_options(&words, set).unwrap();
            let by_clap = ServerArguments { offer: true, channel: set(""), ..server(line) };
            assert_eq!(format!("{said:?}"), format!("{by_clap:?}"));
            assert!(ServerArguments::without_options(&words, |_| None).is_none());
            assert!(ServerArguments::without_options(&words, |_| Some("no".into())).is_none());
        }
        for line in
            ["moshpunch server --lease 7 new", "moshpunch server", "moshpunch server host", "moshpunch"]
        {
            assert!(ServerArguments::without_options(&words(line), set).is_none(), "{line}");
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
