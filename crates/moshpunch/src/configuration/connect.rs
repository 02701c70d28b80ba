//! What holds for one connection.

use std::env;
use std::ffi::{OsStr, OsString};

use anyhow::{Context, Result, bail};
use client::configuration::{Configuration, Families, Predict};
use client::tmux::{self, Colours};
use wire::Bind;

use super::shell_words;
use crate::arguments::{ConnectArguments, Family};

/// What the user's environment says.
#[derive(Debug, Clone, Copy, Default)]
struct Environment<'a> {
    /// `MOSH_PREDICTION_DISPLAY`.
    prediction: Option<&'a OsStr>,
    /// `COLORTERM`.
    colour_term: Option<&'a OsStr>,
}

/// What holds for one connection.
///
/// # Errors
///
/// What was said, here or in the environment, cannot be understood.
pub(crate) fn connection(arguments: &ConnectArguments) -> Result<Configuration> {
    let (prediction, colour_term) = (env::var_os("MOSH_PREDICTION_DISPLAY"), env::var_os("COLORTERM"));
    let environment = Environment { prediction: prediction.as_deref(), colour_term: colour_term.as_deref() };
    resolve(arguments, environment)
}

fn resolve(arguments: &ConnectArguments, environment: Environment<'_>) -> Result<Configuration> {
    let ssh = shell_words::split(&arguments.ssh).filter(|words| !words.is_empty());
    let ssh = ssh.with_context(|| format!("--ssh: {:?} is no command: look at its quotes", arguments.ssh))?;
    Ok(Configuration {
        host: arguments.host.clone(),
        command: command(arguments, environment.colour_term),
        client: arguments.client.clone(),
        server: arguments.server.clone(),
        bind: bind(arguments),
        port: arguments.port.clone(),
        ssh: ssh.into_iter().map(OsString::from).collect(),
        ssh_terminal: !arguments.no_ssh_pty,
        local: arguments.local,
        remote_ip: arguments.experimental_remote_ip.into(),
        families: families(arguments),
        predict: predict(arguments, environment.prediction)?,
        predict_overwrite: arguments.predict_overwrite,
        terminal_init: !arguments.no_init,
        verbose: arguments.verbose,
        log: arguments.log.clone(),
    })
}

fn bind(arguments: &ConnectArguments) -> Option<Bind> {
    match arguments.bind_server.as_deref() {
        None => arguments.local.then(|| Bind::Address(arguments.host.clone())),
        Some(text) if text.eq_ignore_ascii_case("ssh") => Some(Bind::Ssh),
        Some(text) if text.eq_ignore_ascii_case("any") => Some(Bind::Any),
        Some(text) => Some(Bind::Address(text.to_owned())),
    }
}

fn command(arguments: &ConnectArguments, colour_term: Option<&OsStr>) -> Vec<OsString> {
    match &arguments.tmux {
        Some(name) => tmux::command(name, Colours::from_environment(colour_term), &arguments.command),
        None => arguments.command.clone(),
    }
}

fn predict(arguments: &ConnectArguments, environment: Option<&OsStr>) -> Result<Predict> {
    let said = match arguments {
        ConnectArguments { always: true, .. } => Some(Predict::Always),
        ConnectArguments { never: true, .. } => Some(Predict::Never),
        ConnectArguments { predict, .. } => predict.map(Predict::from),
    };
    match (said, environment) {
        (Some(predict), _) => Ok(predict),
        (None, None) => Ok(Predict::Adaptive),
        (None, Some(name)) => match Predict::named(name) {
            Some(predict) => Ok(predict),
            None => bail!("MOSH_PREDICTION_DISPLAY in the environment is unknown: {}", name.display()),
        },
    }
}

fn families(arguments: &ConnectArguments) -> Families {
    match arguments {
        ConnectArguments { inet: true, .. } | ConnectArguments { family: Some(Family::Inet), .. } => {
            Families::Only(path::Family::V4)
        }
        ConnectArguments { inet6: true, .. } | ConnectArguments { family: Some(Family::Inet6), .. } => {
            Families::Only(path::Family::V6)
        }
        _ => Families::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Order;

    fn resolve(line: &str, prediction: Option<&str>) -> Result<Configuration> {
        let words = shell_words::split(line).unwrap().into_iter().map(OsString::from);
        let arguments = ConnectArguments::parse_words(words, Order::Free).unwrap();
        let environment = Environment { prediction: prediction.map(OsStr::new), colour_term: None };
        super::resolve(&arguments, environment)
    }

    #[test]
    fn ssh_is_split_as_moshs_script_does() {
        let ssh = resolve("moshpunch --ssh='ssh -p 8022 -o \"User a\"' host", None).unwrap().ssh;
        assert_eq!(ssh, ["ssh", "-p", "8022", "-o", "User a"]);
        let error = resolve("moshpunch --ssh='ssh \"' host", None).unwrap_err();
        assert_eq!(error.to_string(), "--ssh: \"ssh \\\"\" is no command: look at its quotes");
    }

    #[test]
    fn what_is_said_wins_over_the_environment() {
        let predict = |line, environment| resolve(line, environment).unwrap().predict;
        assert_eq!(predict("moshpunch host", None), Predict::Adaptive);
        assert_eq!(predict("moshpunch host", Some("never")), Predict::Never);
        assert_eq!(predict("moshpunch -a host", Some("never")), Predict::Always);
        let error = resolve("moshpunch host", Some("often")).unwrap_err();
        assert_eq!(error.to_string(), "MOSH_PREDICTION_DISPLAY in the environment is unknown: often");
    }

    #[test]
    fn in_tmux_the_command_is_one_of_its_script() {
        let command = |line| resolve(line, None).unwrap().command;
        assert_eq!(command("moshpunch host ls"), ["ls"]);
        let script = command("moshpunch --tmux=work host ls");
        assert_eq!(script.first().unwrap(), "sh");
        assert!(script.contains(&"work".into()) && script.last().unwrap() == "ls", "{script:?}");
    }

    #[test]
    fn a_single_family_excludes_the_other() {
        let families = |line| resolve(line, None).unwrap().families;
        assert_eq!(families("moshpunch -4 host"), Families::Only(path::Family::V4));
        assert_eq!(families("moshpunch --family=inet6 host"), Families::Only(path::Family::V6));
        assert_eq!(families("moshpunch --family=prefer-inet6 host"), Families::All);
    }

    #[test]
    fn locally_the_host_is_where_the_server_listens() {
        let bind = |line| resolve(line, None).unwrap().bind;
        assert_eq!(bind("moshpunch --local ::1"), Some(Bind::Address("::1".into())));
        assert_eq!(bind("moshpunch --local --bind-server=ANY ::1"), Some(Bind::Any));
        assert_eq!(bind("moshpunch --bind-server=ssh host"), Some(Bind::Ssh));
        assert_eq!(bind("moshpunch host"), None);
    }
}
