//! mosh's own options, with mosh's meaning (mosh(1), 1.4.0), and few of ours.

mod spelling;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use client::install::Wanted;

pub(crate) use self::spelling::Order;
use super::VERSION;
use super::flags::Flags;
use crate::configuration::{Connection, Format};

const ABOUT: &str = "\
mosh over the best path there is: if `ssh HOST` works, `moshpunch HOST` works.

Logs in by ssh, starts mosh-server on the host, and goes straight to it by UDP:
on the network that both are on, by IPv6, through a port that the host's router
maps, or through a hole that is punched into firewalls and NATs; else over ssh.
The session stays when this machine sleeps or changes its network. Both sides
need mosh; where mosh alone would fail the host needs moshpunch, too.";

const AFTER_HELP: &str = "\
Examples:
  moshpunch alice@host                   a shell on the host
  moshpunch --ssh='ssh -p 8022' router   ssh comes in by a forwarded port
  moshpunch --tmux host                  a shell that scrolls, and outlives the
                                         session of mosh
  moshpunch host -- tail -f notes        a command with options of its own
  moshpunch --install alice@host         put moshpunch there, for what mosh alone
                                         cannot do

What is to hold always belongs into ~/.config/moshpunch/config.toml, for all hosts
or for some (docs/configuration.md); --no-NAME takes one back. -G shows what holds.

Ctrl-^ and then . ends a session that hangs. At the end moshpunch tells the path
that was used; with -v every move, and its cause.

Commands, each with a --help of its own:
  server new  on a host: start mosh-server, reachable through the router
  map         map ports of the router by hand, and see what it has mapped
  sessions    show your mosh sessions on a host, and end them
  router      on a router with miniupnpd: set it up, check it, hold its ports
A host of such a name: `moshpunch server` or `moshpunch -- server COMMAND`.";

#[derive(Debug, Parser)]
#[command(
    name = "moshpunch",
    version = VERSION,
    infer_long_args = true,
    args_override_self = true,
    max_term_width = 100,
    override_usage = "moshpunch [OPTIONS] [--] [USER@]HOST [COMMAND]...\n       moshpunch server|map|sessions|router ...",
    about = ABOUT,
    after_help = AFTER_HELP
)]
pub(crate) struct ConnectArguments {
    #[command(flatten)]
    pub(crate) flags: Flags<Connection>,

    /// Print what holds for this host, and who says so, in place of connecting
    #[arg(short = 'G')]
    shows: bool,

    /// With -G: as JSON
    #[arg(long, requires = "shows")]
    json: bool,

    /// Put moshpunch into ~/.local/bin of the host, in place of connecting
    #[arg(long, conflicts_with_all = ["uninstall", "command"])]
    install: bool,

    /// With --install: where the programs for hosts are that `make dist` builds
    #[arg(long, value_name = "DIRECTORY", requires = "install")]
    from: Option<PathBuf>,

    /// Take it away from there again; sessions go on
    #[arg(long, conflicts_with = "command")]
    uninstall: bool,

    /// As ssh takes it: a name, an address, a Host of ~/.ssh/config
    #[arg(value_name = "[USER@]HOST", required = true, value_parser = host)]
    pub(crate) host: String,

    /// What to run there in place of a shell
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

impl ConnectArguments {
    /// The first word is the program's name.
    pub(crate) fn parse_words(
        words: impl IntoIterator<Item = OsString>,
        order: Order,
    ) -> Result<Self, clap::Error> {
        let words: Vec<_> = words.into_iter().collect();
        if let Some(parsed) = Self::without_options(&words) {
            return Ok(parsed);
        }
        let command = Self::command();
        let mut words = words.into_iter();
        let program = words.next();
        let words: Vec<_> = program.into_iter().chain(spelling::spelt_out(words, order, &command)).collect();
        Self::from_arg_matches(&command.try_get_matches_from(words)?)
    }

    /// As most of the time, when clap has nothing to do, and somebody waits for it.
    fn without_options(words: &[OsString]) -> Option<Self> {
        let [_, host_and_command @ ..] = words else { return None };
        if host_and_command.iter().any(|word| word.as_bytes().starts_with(b"-")) {
            return None;
        }
        let (said, command) = host_and_command.split_first()?;
        Some(Self {
            flags: Flags::unsaid(),
            shows: false,
            json: false,
            install: false,
            from: None,
            uninstall: false,
            host: host(said.to_str()?).ok()?,
            command: command.to_vec(),
        })
    }

    /// None: nothing is to be changed on the host.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let install = || Wanted::Install { from: self.from.clone() };
        self.install.then(install).or_else(|| self.uninstall.then_some(Wanted::Uninstall))
    }

    /// None: nothing is to be told in place of what is to be done.
    pub(crate) fn shown(&self) -> Option<Format> {
        self.shows.then_some(if self.json { Format::Json } else { Format::Text })
    }
}

/// What ssh would read as something else, an option above all, is refused.
pub(super) fn host(text: &str) -> Result<String, String> {
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
        "sessions" => own_option || ["list", "close", "clean", "help"].contains(&second),
        "router" => own_option || ["setup", "check", "guard", "help"].contains(&second),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{Flag, Kind, Setting, Settings as _};

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

    /// By whom, and what: nothing, where it is the default.
    fn said(line: &str, name: &str) -> Option<(String, Option<String>)> {
        let said = parsed(line).flags.said.into_iter().find(|said| said.name == name)?;
        Some((said.source.to_string(), said.text.map(|text| text.into_string().unwrap())))
    }

    fn is_said(line: &str, name: &str, source: &str, text: &str) {
        assert_eq!(said(line, name), Some((source.to_owned(), Some(text.to_owned()))), "{line}");
    }

    #[test]
    fn the_last_of_two_that_contradict_each_other_holds() {
        is_said("-a --predict=never host", "predict", "--predict", "never");
        is_said("--predict never -a host", "predict", "-a", "always");
        is_said("-4 --family=INET6 host", "family", "--family", "INET6");
        is_said("--no-init --init host", "init", "--init", "true");
        is_said("--noinit host", "init", "--no-init", "false");
        is_said("-o --no-predict-overwrite host", "predict-overwrite", "--no-predict-overwrite", "false");
        assert_eq!(said("--tmux --no-tmux host", "tmux"), Some(("--no-tmux".into(), None)));
        assert_eq!(said("host", "init"), None);
    }

    #[test]
    fn without_options_clap_would_say_the_same() {
        for line in ["host", "alice@[fd00::7]", "ssh://host:7", "host ls", "host tmux new main"] {
            let words = words(&format!("moshpunch {line}"));
            let parsed = ConnectArguments::without_options(&words).unwrap();
            let by_clap = ConnectArguments::try_parse_from(&words).unwrap();
            assert_eq!(format!("{parsed:?}"), format!("{by_clap:?}"));
        }
        for line in ["", "-4 host", "host -4", "host -- ls", "-G host", "@", "alice@"] {
            assert!(
                ConnectArguments::without_options(&words(&format!("moshpunch {line}"))).is_none(),
                "{line}"
            );
        }
    }

    #[test]
    fn every_option_can_be_taken_back() {
        for Setting { name, kind, flag, .. } in Connection::ALL {
            let Flag { negation, .. } = flag.as_ref().unwrap();
            match negation {
                Some(negation) => assert_eq!(*negation, format!("no-{name}")),
                // mosh's script reads that as --no-ssh-pty and --no-predict-overwrite, and so do we.
                None => assert!(["ssh", "predict"].contains(name), "{name}"),
            }
            let taken_back =
                negation.map_or_else(|| format!("--{name}={}", default(name)), |no| format!("--{no}"));
            let (_, text) = said(&format!("{taken_back} host"), name).unwrap();
            let nothing = if *kind == Kind::Switch { Some("false".to_owned()) } else { None };
            assert_eq!(text, nothing.or_else(|| negation.is_none().then(|| default(name).to_owned())));
        }
        is_said("--no-ssh host", "ssh-pty", "--no-ssh-pty", "false");
    }

    fn default(name: &str) -> &'static str {
        Connection::ALL
            .iter()
            .find(|setting| setting.name == name)
            .and_then(|setting| setting.default)
            .unwrap()
    }

    #[test]
    fn json_is_an_answer_to_what_holds() {
        assert_eq!(parsed("host").shown(), None);
        assert_eq!(parsed("-G -p 7 host").shown(), Some(Format::Text));
        assert_eq!(parsed("host --json -G").shown(), Some(Format::Json));
        assert!(refused("--json host").contains("-G"));
    }

    #[test]
    fn moshpunch_is_put_onto_a_host_or_taken_away_and_nothing_else_is_done() {
        let from = |from: &str| Some(Wanted::Install { from: Some(from.into()) });
        assert_eq!(parsed("host").wanted(), None);
        assert_eq!(parsed("--install host").wanted(), Some(Wanted::Install { from: None }));
        assert_eq!(parsed("host --install --from dist -4").wanted(), from("dist"));
        assert_eq!(parsed("--from=a --install --from=b host").wanted(), from("b"));
        assert_eq!(parsed("--uninstall host").wanted(), Some(Wanted::Uninstall));
        for line in ["--from dist host", "--install --uninstall host", "--install host ls", "--install"] {
            refused(line);
        }
    }

    /// Every way to say an option, with what follows it: a value, for those that take one.
    fn sayings() -> Vec<Vec<String>> {
        let command = ConnectArguments::command();
        // It says more of another, without which it is refused.
        let is_alone = |argument: &&clap::Arg| !argument.is_positional() && argument.get_id() != "from";
        command.get_arguments().filter(is_alone).flat_map(ways).collect()
    }

    fn ways(option: &clap::Arg) -> Vec<Vec<String>> {
        let long = option.get_long().map(|long| format!("--{long}"));
        let names = long.into_iter().chain(option.get_short().map(|short| format!("-{short}")));
        let possible = option.get_possible_values();
        let values: Vec<_> = match possible.as_slice() {
            [] if option.get_id() == "stun" => vec!["stun:a".to_owned(), "stun:b,stun:c".to_owned()],
            [] if option.get_id() == "turn" => vec!["turn:a".to_owned(), "turn:b".to_owned()],
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
        let words = words.concat().into_iter().chain(["-G", "host"].map(str::to_owned)).map(OsString::from);
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
            let is_so_called =
                |other: &&Vec<String>| other[0].split('=').next() == Some(&format!("--{name}"));
            sayings.iter().find(is_so_called)
        };
        let pairs: Vec<_> = sayings.iter().filter_map(|no| Some((no, negation(no)?))).collect();
        let negations = Connection::ALL.iter().filter_map(|setting| setting.flag.as_ref()?.negation);
        assert_eq!(pairs.len(), negations.count(), "{pairs:?}");
        for (no, yes) in pairs {
            assert_eq!(meant(&[no, yes]), meant(&[yes]), "{no:?} {yes:?}");
            assert_eq!(meant(&[yes, no, yes]), meant(&[yes]), "{yes:?} {no:?} {yes:?}");
            assert_eq!(meant(&[yes, no]), meant(&[no]), "{yes:?} {no:?}");
        }
    }

    #[test]
    fn options_may_stand_behind_the_host_and_are_the_commands_only_after_two_dashes() {
        is_said("host -p 60005 tail -n", "port", "--port", "60005");
        is_said("host -p 60005 tail -n", "predict", "-n", "never");
        assert_eq!(parsed("host -p 60005 tail -n").command, words("tail"));
        assert_eq!(parsed("host -- tail -n 3").command, words("tail -n 3"));
        assert_eq!(parsed("-- host tail -n 3").command, words("tail -n 3"));
        assert!(refused("host ls -l").contains("unexpected argument '-l'"));
    }

    #[test]
    fn long_options_may_be_cut_short_and_have_a_single_dash() {
        is_said("--exp=local host", "experimental-remote-ip", "--experimental-remote-ip", "local");
        is_said("-ssh=ssh host", "ssh", "--ssh", "ssh");
        is_said("-port=60005 host", "port", "--port", "60005");
        assert_eq!(parsed("-- host -ssh=x").command, words("-ssh=x"));
    }

    /// What is said, and the words from the host on. None: it is refused.
    fn read(line: &str) -> Option<String> {
        let words = words(&format!("moshpunch {line}"));
        let arguments = ConnectArguments::parse_words(words, Order::Free).ok()?;
        let said = arguments.flags.said.iter().map(|said| {
            format!("{}={}", said.name, said.text.as_ref().map_or("", |text| text.to_str().unwrap()))
        });
        let rest = [arguments.host.clone().into()].into_iter().chain(arguments.command.clone());
        let rest = rest.map(|word| word.into_string().unwrap());
        Some(said.chain(["|".to_owned()]).chain(rest).collect::<Vec<_>>().join(" "))
    }

    /// As Getopt::Long of Perl 5.36 reads them for mosh's script of 1.4.0.
    #[test]
    fn options_are_read_as_getopt_long_reads_them() {
        for (line, expected) in [
            ("-A h", "predict=always | h"),
            ("-N h", "predict=never | h"),
            ("-O h", "predict-overwrite=true | h"),
            ("-P 7 h", "port=7 | h"),
            ("-P=7 h", "port=7 | h"),
            ("--P=7 h", "port=7 | h"),
            ("--p 7 h", "port=7 | h"),
            ("-p=7 h", "port=7 | h"),
            ("--po 7 h", "port=7 | h"),
            ("-po 7 h", "port=7 | h"),
            ("--ssh -4 h", "ssh=-4 | h"),
            ("--ssh -- h", "ssh=-- | h"),
            ("--ssh --local h", "ssh=--local | h"),
            ("-ssh=x h", "ssh=x | h"),
            ("--SSH x h", "ssh=x | h"),
            ("--client -A h", "client=-A | h"),
            ("--server --server h", "server=--server | h"),
            ("--bind-server -n h -a", "predict=always bind-server=-n | h"),
            ("--exp=local h", "experimental-remote-ip=local | h"),
            ("-fam inet h", "family=inet | h"),
            ("-noo h", "predict-overwrite=false | h"),
            ("--noo h", "predict-overwrite=false | h"),
            ("--no-o h", "predict-overwrite=false | h"),
            ("-no-o h", "predict-overwrite=false | h"),
            ("--NOO h", "predict-overwrite=false | h"),
            ("--nop h", "predict-overwrite=false | h"),
            ("--no-p h", "predict-overwrite=false | h"),
            ("--no-predict h", "predict-overwrite=false | h"),
            ("--predict-o h", "predict-overwrite=true | h"),
            ("--PREDICT-OVER h", "predict-overwrite=true | h"),
            ("--no-s h", "ssh-pty=false | h"),
            ("--nos h", "ssh-pty=false | h"),
            ("--nossh h", "ssh-pty=false | h"),
            ("--ssh-p h", "ssh-pty=true | h"),
            ("--noi h", "init=false | h"),
            ("--no-i h", "init=false | h"),
            ("--4 h", "family=inet | h"),
            ("--a h", "predict=always | h"),
            ("--predict=NEVER h", "predict=NEVER | h"),
            ("--n h", "predict=never | h"),
            ("--o h", "predict-overwrite=true | h"),
            ("h -A", "predict=always | h"),
            ("-a -- h -4", "predict=always | h -4"),
            ("h --port 7 -- -a", "port=7 | h -a"),
        ] {
            assert_eq!(read(line).as_deref(), Some(expected), "{line}");
        }
        for line in [
            "--ssh",
            "--predict -a h",
            "-p -4 h",
            "-p -- h",
            "--no h",
            "--noport h",
            "--server= h",
            "--ssh= h",
            "-p= h",
            "-s h",
            "-o=1 h",
            "--init=0 h",
            "--local=1 h",
            "-a=1 h",
            "---ssh x h",
            "--ss x h",
            "--ssh_pty h",
            "-4x h",
            "--pre x h",
            "--noa h",
            "--nolocal h",
            "-P7 h",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    /// What that reads otherwise, with the reason in docs/client.md.
    #[test]
    fn few_are_read_otherwise_than_getopt_long_reads_them() {
        for (line, expected) in [
            ("-p7 h", Some("port=7 | h")),
            ("-an h", Some("predict=never | h")),
            ("-v h", Some("verbose=true | h")),
            ("-l h", None),
            ("-c x h", None),
            ("+4 h", Some("| +4 h")),
            ("-oa h", Some("predict=always predict-overwrite=true | h")),
            ("-no h", Some("predict=never predict-overwrite=true | h")),
            ("--no-local h", Some("local=false | h")),
            ("--fa inet h", Some("family=inet | h")),
        ] {
            assert_eq!(read(line).as_deref(), expected, "{line}");
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
        is_said("--tmux host", "tmux", "--tmux", "mosh");
        is_said("--tmux=work host", "tmux", "--tmux", "work");
        assert!(refused("--tmux=a:b host").contains("none of :"));
    }

    #[test]
    fn hosts_may_be_called_as_our_commands_are() {
        for line in [
            "router",
            "server",
            "map",
            "sessions",
            "sessions uptime",
            "-- sessions list",
            "a@sessions list",
            "router uptime",
            "server -- new",
            "keeper",
            "alice@server new",
        ] {
            assert!(!is_own_command(&words(line)), "{line}");
        }
        for line in [
            "server new -s",
            "server --lease 7 new",
            "map list",
            "sessions list host",
            "sessions --help",
            "router check",
            "map --help",
        ] {
            assert!(is_own_command(&words(line)), "{line}");
        }
    }
}
