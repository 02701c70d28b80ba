//! `moshpunch [user@]host`: logs in, and stands between mosh-client and the best path until it ends.

use std::env;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result};
use path::Agent;

use crate::arguments::ConnectArguments;
use crate::configuration::ConnectConfiguration;
use crate::connect::connecting::{Connected, Connecting, Outcome};
use crate::connect::farewell;
use crate::connect::forwarder::{Ended, Forwarder, Front};
use crate::connect::gate::Gate;
use crate::connect::login::colours;
use crate::connect::mosh_client::MoshClient;
use crate::connect::scout::Scout;
use crate::session::Failure;
use crate::{report, signals};

/// As a shell counts SIGINT.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(arguments: &ConnectArguments) -> Result<ExitCode> {
    let prediction = env::var_os("MOSH_PREDICTION_DISPLAY");
    let configuration = ConnectConfiguration::resolve(arguments, prediction.as_deref())?;
    let mut signals = signals::of_the_end()?;
    let colours = colours(&configuration.client)?;
    match Connecting::start(configuration, colours)?.run(&mut signals)? {
        Outcome::Connected(connected) => hold_session(*connected, signals),
        Outcome::Failed(failure, code) => {
            report::trouble(&failure.cause, Some(&failure.cure));
            Ok(code.and_then(|code| u8::try_from(code).ok()).filter(|&code| code != 0).unwrap_or(1).into())
        }
        Outcome::Interrupted => Ok(INTERRUPTED.into()),
    }
}

fn hold_session(connected: Connected, signals: UnixStream) -> Result<ExitCode> {
    let Connected { configuration, connect, candidates, offers, login, look_up, mut progress } = connected;
    let key = connect.key.parse().context("the key that the host told")?;
    let front = Front::open()?;
    // From here on the terminal is mosh-client's.
    progress.clear();
    let client = MoshClient::start(&configuration, &connect.key, front.address()?)?;
    drop(connect.key);
    let (families, verbose) = (configuration.families, configuration.verbose);
    let scout = Scout::new(configuration, connect.port, offers, login, look_up);
    let forwarder = Forwarder::new(Gate::new(key), front, families, client, scout, signals)?;
    let ended = forwarder.run(&candidates)?;
    say_farewell(&ended, verbose);
    Ok(exit_code(ended.status))
}

fn say_farewell(ended: &Ended, verbose: bool) {
    for note in &ended.notes {
        report::say(note);
    }
    if verbose {
        farewell::moves(&ended.agent).iter().for_each(|line| report::say(line));
    }
    match farewell::path_used(&ended.agent) {
        Some(line) => report::say(&line),
        None => {
            let failure = without_a_path(&ended.agent);
            report::trouble(&failure.cause, Some(&failure.cure));
        }
    }
}

fn without_a_path(agent: &Agent) -> Failure {
    if agent.counters().datagrams == 0 {
        return farewell::never_began();
    }
    farewell::never_reached(&agent.candidates().collect::<Vec<_>>())
}

/// A signal counts as in a shell.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
