//! mosh's own options, with mosh's meaning (mosh(1), 1.4.0), and few of ours.

mod spelling;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use client::configuration;
use client::tmux::SessionName;

pub(crate) use self::spelling::Order;

/// Beside `--help`.
const OURS: Option<&str> = None;

const ABOUT: &str = "\
mosh over the best path there is: if `ssh HOST` works, `moshpunch HOST` works.

Logs in by ssh, starts mosh-server on the host, and goes straight to it by UDP:
on the network that both are on, by IPv6, or through a port that the host's
router maps. The session stays when this machine sleeps or changes its network.
Both sides need mosh; for a mapped port the host needs moshpunch, too.";

const AFTER_HELP: &str = "\
Examples:
  moshpunch alice@host                   a shell on the host
  moshpunch --ssh='ssh -p 8022' router   ssh comes in by a forwarded port
  moshpunch --tmux host                  a shell that scrolls, and outlives the
                                         session of mosh
  moshpunch host -- tail -f notes        a command with options of its own

Ctrl-^ and then . ends a session that hangs. At the end moshpunch tells the path
that was used; with -v every move, and its cause.

Commands, each with a --help of its own:
  server new  on a host: start mosh-server, reachable through the router
  map         map ports of the router by hand, and see what it has mapped
  router      on a router with miniupnpd: set it up, check it, hold its ports
A host of such a name: `moshpunch server` or `moshpunch -- server COMMAND`.";

#[derive(Debug, Parser)]
#[command(
    name = "moshpunch",
    version,
    infer_long_args = true,
    args_override_self = true,
    max_term_width = 100,
    override_usage = "moshpunch [OPTIONS] [--] [USER@]HOST [COMMAND]...\n       moshpunch server|map|router ...",
    about = ABOUT,
    after_help = AFTER_HELP,
    next_help_heading = "mosh's options, with mosh's meaning"
)]
pub(crate) struct ConnectArguments {
    /// This machine's mosh-client
    #[arg(long, value_name = "PATH", default_value = "mosh-client")]
    pub(crate) client: PathBuf,

    /// What starts the server on the host
    /// [default: moshpunch server, else mosh-server]
    #[arg(long, value_name = "COMMAND", verbatim_doc_comment)]
    pub(crate) server: Option<String>,

    /// When to show what is typed before the host
    /// echoes it: adaptive (where it takes long),
    /// always, never, experimental
    /// [default: adaptive]
    #[arg(long, value_name = "WHEN", overrides_with_all = ["predict", "always", "never"], verbatim_doc_comment, hide_possible_values = true)]
    pub(crate) predict: Option<Predict>,

    /// Same as --predict=always
    #[arg(short = 'a', overrides_with_all = ["predict", "always", "never"])]
    pub(crate) always: bool,

    /// Same as --predict=never
    #[arg(short = 'n', overrides_with_all = ["predict", "always", "never"])]
    pub(crate) never: bool,

    /// What is shown early overwrites
    #[arg(short = 'o', long, overrides_with = "no_predict_overwrite")]
    pub(crate) predict_overwrite: bool,

    #[arg(long, hide = true, alias = "nopredict-overwrite", overrides_with = "predict_overwrite")]
    pub(crate) no_predict_overwrite: bool,

    /// IPv4 (inet), IPv6 (inet6), or both (auto,
    /// all, prefer-inet, prefer-inet6)
    /// [default: prefer-inet]
    #[arg(long, value_name = "FAMILY", ignore_case = true, overrides_with_all = ["family", "inet", "inet6"], verbatim_doc_comment, hide_possible_values = true)]
    pub(crate) family: Option<Family>,

    /// IPv4 only: same as --family=inet
    #[arg(short = '4', overrides_with_all = ["family", "inet", "inet6"])]
    pub(crate) inet: bool,

    /// IPv6 only: same as --family=inet6
    #[arg(short = '6', overrides_with_all = ["family", "inet", "inet6"])]
    pub(crate) inet6: bool,

    /// The UDP port on the host, or a range
    /// (ssh's own port is said in --ssh)
    #[arg(short = 'p', long, value_name = "PORT[:PORT2]", value_parser = ports, allow_hyphen_values = true, verbatim_doc_comment)]
    pub(crate) port: Option<String>,

    /// Where the server listens: ssh (where ssh
    /// came in), any, or an address of the host
    /// [default: wherever it may be reached]
    #[arg(long, value_name = "WHERE", verbatim_doc_comment)]
    pub(crate) bind_server: Option<String>,

    /// What logs in, with options [default: ssh]
    #[arg(long, value_name = "COMMAND", default_value = "ssh", hide_default_value = true)]
    pub(crate) ssh: String,

    /// Log in without a terminal on the host
    #[arg(long, alias = "nossh-pty", overrides_with = "ssh_pty")]
    pub(crate) no_ssh_pty: bool,

    #[arg(long, hide = true, overrides_with = "no_ssh_pty")]
    pub(crate) ssh_pty: bool,

    /// Stay on the terminal's main screen
    #[arg(long, alias = "noinit", overrides_with = "init")]
    pub(crate) no_init: bool,

    #[arg(long, hide = true, overrides_with = "no_init")]
    pub(crate) init: bool,

    /// Start the server on this machine, without
    /// ssh; HOST is an address for it to listen on
    #[arg(long, verbatim_doc_comment)]
    pub(crate) local: bool,

    /// What to try beside what the host offers: the
    /// address of its name, to which ssh goes, too
    /// (local), that where ssh came in (remote), or
    /// that to which ssh goes (proxy)
    #[arg(
        long,
        value_name = "HOW",
        default_value = "proxy",
        verbatim_doc_comment,
        hide_possible_values = true
    )]
    pub(crate) experimental_remote_ip: RemoteIp,

    /// A shell that scrolls by the wheel: attaches to this tmux
    /// session on the host, or makes it [name: mosh]
    #[arg(help_heading = OURS, long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "mosh", verbatim_doc_comment)]
    pub(crate) tmux: Option<SessionName>,

    /// Tell each step of connecting, and at the end each move
    #[arg(help_heading = OURS, short, long, action = ArgAction::SetTrue)]
    pub(crate) verbose: bool,

    /// Append what it does to this file
    #[arg(help_heading = OURS, long, value_name = "FILE", env = "MOSHPUNCH_LOG")]
    pub(crate) log: Option<PathBuf>,

    /// As ssh takes it: a name, an address, a Host of ~/.ssh/config
    #[arg(help_heading = OURS, value_name = "[USER@]HOST", required = true, value_parser = host)]
    pub(crate) host: String,

    /// What to run there in place of a shell
    #[arg(help_heading = OURS, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Predict {
    Adaptive,
    Always,
    Never,
    Experimental,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    Inet,
    Inet6,
    Auto,
    All,
    PreferInet,
    PreferInet6,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RemoteIp {
    Local,
    // By `SSH_CONNECTION`.
    Remote,
    Proxy,
}

impl ConnectArguments {
    /// The first word is the program's name.
    pub(crate) fn parse_words(
        words: impl IntoIterator<Item = OsString>,
        order: Order,
    ) -> Result<Self, clap::Error> {
        let command = Self::command();
        let mut words = words.into_iter();
        let program = words.next();
        let words: Vec<_> = program.into_iter().chain(spelling::spelt_out(words, order, &command)).collect();
        Self::from_arg_matches(&command.try_get_matches_from(words)?)
    }
}

impl From<Predict> for configuration::Predict {
    fn from(predict: Predict) -> Self {
        match predict {
            Predict::Adaptive => Self::Adaptive,
            Predict::Always => Self::Always,
            Predict::Never => Self::Never,
            Predict::Experimental => Self::Experimental,
        }
    }
}

impl From<RemoteIp> for configuration::RemoteIp {
    fn from(remote_ip: RemoteIp) -> Self {
        match remote_ip {
            RemoteIp::Local => Self::Local,
            RemoteIp::Remote => Self::Remote,
            RemoteIp::Proxy => Self::Proxy,
        }
    }
}

/// As mosh's script checks them.
fn ports(text: &str) -> Result<String, String> {
    let number =
        |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (low, high) = match text.split_once(':') {
        Some((low, high)) => (number(low), Some(number(high))),
        None => (number(text), None),
    };
    match (low, high) {
        (None, _) | (_, Some(None)) => Err("a port, or two with a colon between, was expected".into()),
        (Some(low), _) if low > 65_535 => Err(format!("port {low} is not from 0 to 65535")),
        (_, Some(Some(high))) if high == 0 || high > 65_535 => {
            Err(format!("port {high} is not from 1 to 65535"))
        }
        (Some(0), Some(_)) => Err("a range of ports cannot begin with 0".into()),
        (Some(low), Some(Some(high))) if low > high => Err(format!("port {low} is higher than port {high}")),
        _ => Ok(text.to_owned()),
    }
}

/// What ssh would read as something else, an option above all, is refused.
fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("ssh://").unwrap_or(text);
    let name = bare.rsplit_once('@').map_or(bare, |(_, name)| name).trim_start_matches('[');
    match name {
        "" => Err("a host was expected".into()),
        _ if text.starts_with('-') || name.starts_with('-') => {
            Err("a host cannot begin with a dash; options stand before the host, without --".into())
        }
        _ if text.chars().any(char::is_control) => Err("a host has no control characters".into()),
        _ => Ok(text.to_owned()),
    }
}

/// Whether the words after the program's name name one of our own commands. A host may be called `router`, so the
/// word that follows must be one that this command takes.
pub(crate) fn is_own_command(words: &[OsString]) -> bool {
    let mut words = words.iter().map(|word| word.to_str().unwrap_or_default());
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let own_option = second.starts_with('-') && second != "--";
    match first {
        "server" => own_option || ["new", "offer"].contains(&second),
        "map" => own_option || ["add", "renew", "remove", "list", "gateway", "help"].contains(&second),
        "router" => own_option || ["setup", "check", "guard", "help"].contains(&second),
        _ => ["--look-up", "--tied", "--attend"].contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn parsed(line: &str) -> ConnectArguments {
        ConnectArguments::parse_words(words(&format!("moshpunch {line}")), Order::Free)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn refused(line: &str) -> String {
        ConnectArguments::parse_words(words(&format!("moshpunch {line}")), Order::Free)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_last_of_two_that_contradict_each_other_holds() {
        let arguments = parsed("-a --predict=never host");
        assert_eq!((arguments.predict, arguments.always), (Some(Predict::Never), false));
        let arguments = parsed("--predict never -a host");
        assert_eq!((arguments.predict, arguments.always), (None, true));
        let arguments = parsed("-4 --family=INET6 host");
        assert_eq!((arguments.family, arguments.inet), (Some(Family::Inet6), false));
        assert!(!parsed("--no-init --init host").no_init && parsed("--noinit host").no_init);
        assert!(!parsed("-o --no-predict-overwrite host").predict_overwrite);
    }

    /// Every way to say an option, with what follows it: a value, for those that take one.
    fn sayings() -> Vec<Vec<String>> {
        let command = ConnectArguments::command();
        let options = command.get_arguments().filter(|argument| !argument.is_positional());
        options.flat_map(said).collect()
    }

    fn said(option: &clap::Arg) -> Vec<Vec<String>> {
        let long = option.get_long().map(|long| format!("--{long}"));
        let names = long.into_iter().chain(option.get_short().map(|short| format!("-{short}")));
        let possible = option.get_possible_values();
        let values: Vec<_> = match possible.as_slice() {
            [] => vec!["60001".to_owned(), "60002".to_owned()],
            possible => possible.iter().map(|value| value.get_name().to_owned()).collect(),
        };
        let with_values = |name: String| match option.get_action().takes_values() {
            true if option.is_require_equals_set() => {
                values.iter().map(|value| vec![format!("{name}={value}")]).collect()
            }
            true => values.iter().map(|value| vec![name.clone(), value.clone()]).collect(),
            false => vec![vec![name]],
        };
        names.flat_map(with_values).collect()
    }

    fn meant(words: &[&[String]]) -> String {
        let words = words.concat().into_iter().chain(["host".to_owned()]).map(OsString::from);
        let arguments = ConnectArguments::parse_words(
            [OsString::from("moshpunch")].into_iter().chain(words),
            Order::Free,
        );
        format!("{:?}", arguments.unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn of_an_option_that_is_said_twice_the_later_holds() {
        let sayings = sayings();
        assert!(sayings.len() > 40, "{sayings:?}");
        for first in &sayings {
            for second in sayings.iter().filter(|second| second[0] == first[0]) {
                assert_eq!(meant(&[first, second]), meant(&[second]), "{first:?} {second:?}");
            }
        }
    }

    #[test]
    fn of_an_option_and_its_negation_the_later_holds() {
        let sayings = sayings();
        let negation = |saying: &[String]| {
            let name = saying[0].strip_prefix("--no-")?;
            sayings.iter().find(|other| other[0].strip_prefix("--") == Some(name))
        };
        let pairs: Vec<_> = sayings.iter().filter_map(|no| Some((no, negation(no)?))).collect();
        assert_eq!(pairs.len(), 3, "{pairs:?}");
        for (no, yes) in pairs {
            assert_eq!(meant(&[no, yes]), meant(&[yes]), "{no:?} {yes:?}");
            assert_eq!(meant(&[yes, no, yes]), meant(&[yes]), "{yes:?} {no:?} {yes:?}");
            assert_eq!(meant(&[yes, no]), meant(&[no]), "{yes:?} {no:?}");
        }
    }

    #[test]
    fn options_may_stand_behind_the_host_and_are_the_commands_only_after_two_dashes() {
        let arguments = parsed("host -p 60005 tail -n");
        assert_eq!((arguments.port.as_deref(), arguments.never), (Some("60005"), true));
        assert_eq!(arguments.command, words("tail"));
        assert_eq!(parsed("host -- tail -n 3").command, words("tail -n 3"));
        assert_eq!(parsed("-- host tail -n 3").command, words("tail -n 3"));
        assert!(refused("host ls -l").contains("unexpected argument '-l'"));
    }

    #[test]
    fn long_options_may_be_cut_short_and_have_a_single_dash() {
        assert_eq!(parsed("--exp=local host").experimental_remote_ip, RemoteIp::Local);
        assert_eq!(parsed("-ssh=ssh host").ssh, "ssh");
        assert_eq!(parsed("-port=60005 host").port.as_deref(), Some("60005"));
        assert_eq!(parsed("-- host -ssh=x").command, words("-ssh=x"));
    }

    #[test]
    fn ports_are_checked_as_mosh_checks_them() {
        for good in ["0", "60005", "60001:60010", "65535"] {
            assert_eq!(ports(good).as_deref(), Ok(good));
        }
        for (bad, expected) in [
            ("", "a port, or two with a colon between, was expected"),
            ("-1", "a port, or two with a colon between, was expected"),
            ("1:2:3", "a port, or two with a colon between, was expected"),
            ("+5", "a port, or two with a colon between, was expected"),
            ("65536", "port 65536 is not from 0 to 65535"),
            ("1:0", "port 0 is not from 1 to 65535"),
            ("0:5", "a range of ports cannot begin with 0"),
            ("7:5", "port 7 is higher than port 5"),
        ] {
            assert_eq!(ports(bad), Err(expected.to_owned()), "{bad}");
        }
    }

    #[test]
    fn what_ssh_would_not_read_as_a_host_is_refused() {
        let dash = "a host cannot begin with a dash; options stand before the host, without --";
        for (text, expected) in [
            ("-V", dash),
            ("-oProxyCommand=x", dash),
            ("-oProxyCommand=x@host", dash),
            ("alice@-x", dash),
            ("alice@b@-x", dash),
            ("ssh://-x", dash),
            ("ssh://alice@-x:22", dash),
            ("[-x]", dash),
            ("-", dash),
            ("", "a host was expected"),
            ("alice@", "a host was expected"),
            ("ssh://", "a host was expected"),
            ("ho\nst", "a host has no control characters"),
            ("al\x1bice@host", "a host has no control characters"),
        ] {
            assert_eq!(host(text), Err(expected.to_owned()), "{text:?}");
        }
        for text in ["host", "a-b", "alice@host", "fe80::2%usb0", "[::1]", "ssh://alice@host:22"] {
            assert_eq!(host(text).as_deref(), Ok(text));
        }
        assert!(refused("-- -V").contains("cannot begin with a dash"));
    }

    #[test]
    fn tmux_takes_a_name_only_behind_an_equals_sign() {
        assert_eq!(parsed("--tmux host").tmux, Some(SessionName::default()));
        assert_eq!(parsed("--tmux=work host").tmux, Some("work".parse().unwrap()));
        assert!(refused("--tmux=a:b host").contains("none of :"));
    }

    #[test]
    fn hosts_may_be_called_as_our_commands_are() {
        for line in
            ["router", "server", "map", "router uptime", "server -- new", "keeper", "alice@server new"]
        {
            assert!(!is_own_command(&words(line)), "{line}");
        }
        for line in
            ["server new -s", "server --lease 7 new", "map list", "router check", "map --help", "--tied 7"]
        {
            assert!(is_own_command(&words(line)), "{line}");
        }
    }
}
