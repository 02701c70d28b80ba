//! What can be said to `moshpunch sessions`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};
use host::sessions::{Command, EXIT_CODES, OLD};

use super::connect::host;
use crate::configuration::{Said, Source};

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// Show your mosh sessions on this host, or on HOST; the one that was heard last comes first
    #[command(after_help = EXIT_CODES)]
    List(ListArguments),
    /// End a session, as mosh-server ends at SIGTERM
    #[command(after_help = EXIT_CODES)]
    Close(CloseArguments),
    /// End the sessions that have not been heard for long: shows them, and asks first
    #[command(after_help = EXIT_CODES)]
    Clean(CleanArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,

    /// Print one JSON value, as docs/sessions.md describes it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CloseArguments {
    /// As `sessions list` shows it
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) place: PlaceArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,

    /// How long a session must have been silent: 90s, 30min, 12h, 7d or 2w [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,

    /// Ask nothing
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Where to look, and at whose.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// As ssh takes it [default: this host]
    #[arg(value_name = "[USER@]HOST", value_parser = host)]
    pub(crate) host: Option<String>,

    /// What logs in, with options [default: as for a session]
    #[arg(long, value_name = "COMMAND", requires = "host")]
    pub(crate) ssh: Option<OsString>,

    /// Those of all users, for root
    #[arg(long)]
    pub(crate) all: bool,
}

/// What is asked for, and where.
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) all: bool,
    pub(crate) host: Option<String>,
    /// Of the connection to that.
    pub(crate) said: Vec<Said>,
}

impl From<SessionsCommand> for Asked {
    fn from(command: SessionsCommand) -> Self {
        let (place, command) = match command {
            SessionsCommand::List(ListArguments { place, json }) => (place, Command::List { json }),
            SessionsCommand::Close(CloseArguments { id, place }) => (place, Command::Close { id }),
            SessionsCommand::Clean(CleanArguments { place, older_than, yes }) => {
                (place, Command::Clean { older_than: older_than.unwrap_or(OLD), yes })
            }
        };
        let PlaceArguments { host, ssh, all } = place;
        let said =
            ssh.map(|text| Said { name: "ssh", text: Some(text), source: Source::Flag("--ssh".into()) });
        Self { command, all, host, said: said.into_iter().collect() }
    }
}

impl Asked {
    /// What the host's moshpunch is to be told.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let words: Vec<OsString> = match &self.command {
            Command::List { json } => {
                ["list"].into_iter().chain(json.then_some("--json")).map(OsString::from).collect()
            }
            Command::Close { id } => vec!["close".into(), "--".into(), id.into()],
            Command::Clean { older_than, yes } => {
                let older_than = format!("--older-than={}s", older_than.as_secs());
                ["clean".into(), older_than.into()].into_iter().chain(yes.then(|| "--yes".into())).collect()
            }
        };
        let (command, rest) = words.split_first().expect("a command has its word");
        let all = self.all.then(|| "--all".into());
        [command.clone()].into_iter().chain(all).chain(rest.iter().cloned()).collect()
    }

    /// Whether the user is to be asked there.
    pub(crate) fn asks(&self) -> bool {
        matches!(self.command, Command::Clean { yes: false, .. })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("min", 60), ("m", 60), ("s", 1), ("h", 3_600), ("d", 86_400), ("w", 604_800)];
    let seconds = units.into_iter().find_map(|(unit, size)| {
        let number = text.strip_suffix(unit)?.trim_end().parse::<u32>().ok()?;
        Some(u64::from(number) * size)
    });
    seconds.map(Duration::from_secs).ok_or_else(|| "a number with s, min, h, d or w was expected".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{self, Arguments};

    fn parsed(line: &str) -> Result<Asked, clap::Error> {
        let words = ["moshpunch", "sessions"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words)?.command {
            arguments::Command::Sessions(command) => Ok(command.into()),
            other => panic!("{other:?}"),
        }
    }

    fn words(line: &str) -> String {
        let words = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}")).words();
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_host_is_told_what_it_is_asked_for_and_no_more() {
        for (line, expected) in [
            ("list", "list"),
            ("list --json server", "list --json"),
            ("list --all alice@server --ssh=x", "list --all"),
            ("close 4711 server", "close -- 4711"),
            ("clean server", "clean --older-than=604800s"),
            ("clean --older-than 90s --yes server", "clean --older-than=90s --yes"),
        ] {
            assert_eq!(words(line), expected, "{line}");
            assert_eq!(words(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn a_host_is_looked_at_as_a_session_would_be_begun() {
        let asked = parsed("list --ssh=ssh user@server").unwrap();
        assert_eq!(asked.host.as_deref(), Some("user@server"));
        assert_eq!((asked.said.len(), asked.said[0].name), (1, "ssh"));
        assert!(parsed("list").unwrap().host.is_none() && parsed("list --ssh=x").is_err());
        assert!(parsed("list -- -oProxyCommand=x").is_err());
        assert!(parsed("clean").unwrap().asks() && !parsed("clean --yes").unwrap().asks());
    }

    #[test]
    fn a_duration_has_a_unit() {
        for (text, seconds) in
            [("90s", 90), ("30min", 1_800), ("30m", 1_800), ("12h", 43_200), ("2w", 1_209_600)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "7", "d", "-1d", "1y", "1d2h", "99999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
