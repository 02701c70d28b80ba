//! What can be said of a connection: mosh's own options, with mosh's meaning (mosh(1), 1.4.0), and few of ours.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use client::configuration::{Configuration, Families, Predict, RemoteIp, StunServer};
use client::tmux::{self, Colours, SessionName};
use wire::Bind;
use wire::stun::SERVERS_MAXIMUM;

use super::document::Section;
use super::pattern;
use super::setting::{Flag, Kind, OtherVariable, Setting, Settings, Synonym, utf8};
use super::shell_words;

const OF_MOSH: Flag = Flag { heading: Some("mosh's options, with mosh's meaning"), ..OURS };

/// Beside `--help`.
const OURS: Flag = Flag::UNSAID;

/// The configuration is without what two settings make together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    configuration: Configuration,
    tmux: Option<SessionName>,
}

impl Connection {
    /// For `host`, with nothing said.
    pub(super) fn of(host: &str) -> Self {
        Self { configuration: Configuration::of(host), tmux: None }
    }

    /// `colour_term` is the user's `COLORTERM`.
    pub(super) fn configuration(self, command: &[OsString], colour_term: Option<&OsStr>) -> Configuration {
        let Self { configuration, tmux } = self;
        let command = match tmux {
            Some(name) => tmux::command(&name, Colours::from_environment(colour_term), command),
            None => command.to_vec(),
        };
        let bind = configuration.bind.clone().or_else(|| listens_here(&configuration).map(Bind::Address));
        Configuration { command, bind, ..configuration }
    }
}

impl Settings for Connection {
    const ALL: &'static [Setting<Self>] = SETTINGS;
    const HEADER: &'static str = "[client], or [host.\"PATTERN\"]";
    const SECTIONS: &'static [&'static str] = &["client", "host"];

    fn unsaid() -> Self {
        Self::of("")
    }

    fn has(section: &Section) -> bool {
        matches!(section, Section::Client | Section::Host(_) | Section::None)
    }

    fn implied(&self, name: &str) -> Option<OsString> {
        (name == "bind-server").then(|| listens_here(&self.configuration).map(OsString::from))?
    }

    fn rank(section: &Section, host: &str) -> Option<u8> {
        match section {
            Section::Host(patterns) => pattern::any_matches(patterns, pattern::bare(host)).then_some(0),
            Section::Client => Some(1),
            Section::Server | Section::None => None,
        }
    }
}

const SETTINGS: &[Setting<Connection>] = &[
    Setting {
        name: "client",
        kind: Kind::Path,
        default: Some("mosh-client"),
        flag: Some(Flag {
            value: "PATH",
            help: "This machine's mosh-client [default: mosh-client]",
            negation: Some("no-client"),
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.client = text.map(PathBuf::from).unwrap_or_default();
            Ok(())
        },
    },
    Setting {
        name: "server",
        kind: Kind::Text,
        default: None,
        flag: Some(Flag {
            value: "COMMAND",
            help: "What starts the server on the host\n[default: moshpunch server, else mosh-server]",
            negation: Some("no-server"),
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.server = text.map(utf8).transpose()?.map(str::to_owned);
            Ok(())
        },
    },
    Setting {
        name: "predict",
        kind: Kind::Choice(&["adaptive", "always", "never", "experimental"]),
        default: Some("adaptive"),
        flag: Some(Flag {
            value: "WHEN",
            help: "When to show what is typed before the host\nechoes it: adaptive (where it takes long),\n\
                   always, never, experimental\n[default: adaptive]",
            synonyms: &[
                Synonym { name: "always", short: 'a', value: "always", help: "Same as --predict=always" },
                Synonym { name: "never", short: 'n', value: "never", help: "Same as --predict=never" },
            ],
            ..OF_MOSH
        }),
        other: Some(OtherVariable { name: "MOSH_PREDICTION_DISPLAY", says: |value| Some(value.to_owned()) }),
        set: |connection, text| {
            connection.configuration.predict = text.and_then(Predict::named).unwrap_or(Predict::Adaptive);
            Ok(())
        },
    },
    Setting {
        name: "predict-overwrite",
        kind: Kind::Switch,
        default: Some("false"),
        flag: Some(Flag {
            short: Some('o'),
            help: "What is shown early overwrites",
            negation: Some("no-predict-overwrite"),
            aliases: &["nopredict-overwrite", "no-o", "noo"],
            ..OF_MOSH
        }),
        other: Some(OtherVariable {
            name: "MOSH_PREDICTION_OVERWRITE",
            says: |value| (value == "yes").then(|| "true".into()),
        }),
        set: |connection, text| {
            connection.configuration.predict_overwrite = is_on(text);
            Ok(())
        },
    },
    Setting {
        name: "family",
        kind: Kind::Choice(&["inet", "inet6", "auto", "all", "prefer-inet", "prefer-inet6"]),
        default: Some("prefer-inet"),
        flag: Some(Flag {
            value: "FAMILY",
            help: "IPv4 (inet), IPv6 (inet6), or both (auto,\nall, prefer-inet, prefer-inet6)\n\
                   [default: prefer-inet]",
            synonyms: &[
                Synonym { name: "4", short: '4', value: "inet", help: "IPv4 only: same as --family=inet" },
                Synonym { name: "6", short: '6', value: "inet6", help: "IPv6 only: same as --family=inet6" },
            ],
            negation: Some("no-family"),
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.families = match text.and_then(OsStr::to_str) {
                Some("inet") => Families::Only(path::Family::V4),
                Some("inet6") => Families::Only(path::Family::V6),
                _ => Families::All,
            };
            Ok(())
        },
    },
    Setting {
        name: "port",
        kind: Kind::Ports,
        default: None,
        flag: Some(Flag {
            short: Some('p'),
            value: "PORT[:PORT2]",
            help: "The UDP port on the host, or a range\n(ssh's own port is said in --ssh)",
            negation: Some("no-port"),
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.port = text.map(utf8).transpose()?.map(ports).transpose()?;
            Ok(())
        },
    },
    Setting {
        name: "bind-server",
        kind: Kind::Text,
        default: None,
        flag: Some(Flag {
            value: "WHERE",
            help: "Where the server listens: ssh (where ssh\ncame in), any, or an address of the host\n\
                   [default: wherever it may be reached]",
            negation: Some("no-bind-server"),
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.bind = text.map(utf8).transpose()?.map(bind);
            Ok(())
        },
    },
    Setting {
        name: "ssh",
        kind: Kind::Text,
        default: Some("ssh"),
        flag: Some(Flag { value: "COMMAND", help: "What logs in, with options [default: ssh]", ..OF_MOSH }),
        other: None,
        set: |connection, text| {
            let text = utf8(text.unwrap_or_default())?;
            let words = shell_words::split(text).filter(|words| !words.is_empty());
            let words = words.ok_or_else(|| format!("{text:?} is no command: look at its quotes"))?;
            connection.configuration.ssh = words.into_iter().map(OsString::from).collect();
            Ok(())
        },
    },
    Setting {
        name: "ssh-pty",
        kind: Kind::Switch,
        default: Some("true"),
        flag: Some(Flag {
            help: "Log in without a terminal on the host",
            negation: Some("no-ssh-pty"),
            aliases: &["nossh-pty"],
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.ssh_terminal = is_on(text);
            Ok(())
        },
    },
    Setting {
        name: "init",
        kind: Kind::Switch,
        default: Some("true"),
        flag: Some(Flag {
            help: "Stay on the terminal's main screen",
            negation: Some("no-init"),
            aliases: &["noinit"],
            ..OF_MOSH
        }),
        other: Some(OtherVariable { name: "MOSH_NO_TERM_INIT", says: |_| Some("false".into()) }),
        set: |connection, text| {
            connection.configuration.terminal_init = is_on(text);
            Ok(())
        },
    },
    Setting {
        name: "local",
        kind: Kind::Switch,
        default: Some("false"),
        flag: Some(Flag {
            help: "Start the server on this machine, without\nssh; HOST is an address for it to listen on",
            negation: Some("no-local"),
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.local = is_on(text);
            Ok(())
        },
    },
    Setting {
        name: "experimental-remote-ip",
        kind: Kind::Choice(&["local", "remote", "proxy"]),
        default: Some("proxy"),
        flag: Some(Flag {
            value: "HOW",
            help: "What to try beside what the host offers: the\naddress of its name, to which ssh goes, too\n\
                   (local), that where ssh came in (remote), or\nthat to which ssh goes (proxy)\n\
                   [default: proxy]",
            negation: Some("no-experimental-remote-ip"),
            ..OF_MOSH
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.remote_ip = match text.and_then(OsStr::to_str) {
                Some("local") => RemoteIp::Local,
                Some("remote") => RemoteIp::Remote,
                _ => RemoteIp::Proxy,
            };
            Ok(())
        },
    },
    Setting {
        name: "tmux",
        kind: Kind::Name("mosh"),
        default: None,
        flag: Some(Flag {
            value: "NAME",
            help: "A shell that scrolls by the wheel: attaches to this tmux\n\
                   session on the host, or makes it [name: mosh]",
            negation: Some("no-tmux"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            let name = text.map(utf8).transpose()?.map(str::parse).transpose();
            connection.tmux = name.map_err(|error: anyhow::Error| error.to_string())?;
            Ok(())
        },
    },
    Setting {
        name: "carry",
        kind: Kind::Switch,
        default: Some("true"),
        flag: Some(Flag {
            help: "Send nothing over ssh, also where UDP does not get through",
            negation: Some("no-carry"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.carry = is_on(text);
            Ok(())
        },
    },
    Setting {
        name: "punch",
        kind: Kind::Switch,
        default: Some("true"),
        flag: Some(Flag {
            help: "Punch no holes into firewalls and NATs, also where UDP needs one",
            negation: Some("no-punch"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.punch = is_on(text);
            Ok(())
        },
    },
    Setting {
        name: "stun",
        kind: Kind::Texts,
        default: None,
        flag: Some(Flag {
            value: "SERVER[,SERVER]",
            help: "Have STUN servers tell where this machine and the host are seen, where that\n\
                   is not known otherwise: stun:HOST[:PORT]. Such a server learns both addresses\n\
                   and when you connect, nothing of the session. None is used unless you name one",
            negation: Some("no-stun"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.stun =
                text.map(utf8).transpose()?.map(stun_servers).transpose()?.unwrap_or_default();
            Ok(())
        },
    },
    Setting {
        name: "turn",
        kind: Kind::Text,
        default: None,
        flag: Some(Flag {
            value: "SERVER",
            help: "Have this TURN server relay the session where UDP gets through no other way:\n\
                   turn:HOST[:PORT]. It learns both addresses, and when and how much is sent;\n\
                   none of it can be read there. None is used unless you name one",
            negation: Some("no-turn"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            let server = text.map(utf8).transpose()?.map(str::parse).transpose();
            connection.configuration.turn = server?;
            Ok(())
        },
    },
    Setting {
        name: "turn-user",
        kind: Kind::Text,
        default: None,
        flag: Some(Flag { value: "NAME", help: "Its user there", negation: Some("no-turn-user"), ..OURS }),
        other: None,
        set: |connection, text| {
            let name = text.map(utf8).transpose()?.map(turn_user).transpose()?;
            connection.configuration.turn_user = name;
            Ok(())
        },
    },
    Setting {
        name: "turn-password-file",
        kind: Kind::Path,
        default: None,
        flag: Some(Flag {
            value: "FILE",
            help: "The file, yours alone, whose first line is that user's password",
            negation: Some("no-turn-password-file"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.turn_password_file = text.map(PathBuf::from);
            Ok(())
        },
    },
    Setting {
        name: "turn-secret-file",
        kind: Kind::Path,
        default: None,
        flag: Some(Flag {
            value: "FILE",
            help: "The file, yours alone, whose first line is the server's own secret\n(coturn's static-auth-secret), in place of a password",
            negation: Some("no-turn-secret-file"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.turn_secret_file = text.map(PathBuf::from);
            Ok(())
        },
    },
    Setting {
        name: "verbose",
        kind: Kind::Switch,
        default: Some("false"),
        flag: Some(Flag {
            short: Some('v'),
            help: "Tell each step of connecting, and at the end each move",
            negation: Some("no-verbose"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.verbose = is_on(text);
            Ok(())
        },
    },
    Setting {
        name: "log",
        kind: Kind::Path,
        default: None,
        flag: Some(Flag {
            value: "FILE",
            help: "Append what it does to this file",
            negation: Some("no-log"),
            ..OURS
        }),
        other: None,
        set: |connection, text| {
            connection.configuration.log = text.map(PathBuf::from);
            Ok(())
        },
    },
];

/// Where the server listens that is started on this machine.
fn listens_here(configuration: &Configuration) -> Option<String> {
    configuration.local.then(|| configuration.host.clone())
}

fn is_on(text: Option<&OsStr>) -> bool {
    text.is_some_and(|text| text == "true")
}

fn bind(text: &str) -> Bind {
    match text {
        _ if text.eq_ignore_ascii_case("ssh") => Bind::Ssh,
        _ if text.eq_ignore_ascii_case("any") => Bind::Any,
        _ => Bind::Address(text.to_owned()),
    }
}

/// With commas between.
fn stun_servers(text: &str) -> Result<Vec<StunServer>, String> {
    let servers: Vec<StunServer> = text.split(',').map(|one| one.trim().parse()).collect::<Result<_, _>>()?;
    let are_too_many = servers.len() > SERVERS_MAXIMUM;
    if are_too_many { Err(format!("more than {SERVERS_MAXIMUM} STUN servers")) } else { Ok(servers) }
}

/// RFC 8489 §14.3. With a colon it would end otherwise than the server takes it.
fn turn_user(text: &str) -> Result<String, String> {
    let is_one =
        text.len() < 500 && text.chars().all(|character| !character.is_control() && character != ':');
    is_one.then(|| text.to_owned()).ok_or_else(|| format!("{text:?} is no user's name of a TURN server"))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
