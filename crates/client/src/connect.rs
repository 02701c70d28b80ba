//! `moshpunch [user@]host`: logs in, and stands between mosh-client and the best path until it ends.

use std::process::ExitCode;

use anyhow::{Context, Result};
use net::clock;
use programs::exit_code;
use programs::secrets;
use programs::signals::Signals;
use report::log;
use report::{Machine, Step, Trouble};

use crate::addresses::destination::Destination;
use crate::configuration::Configuration;
use crate::connecting::{Connected, Connecting, Outcome};
use crate::session::farewell::{self, Named};
use crate::session::forwarder::{Ended, Forwarder};
use crate::session::gate::Gate;
use crate::session::relay::Credentials;
use crate::session::scout::Scout;
use crate::terminal::colours::Colours;

/// As a shell counts SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// # Errors
///
/// Nothing could be begun: the host's name has no address, or this machine has no mosh-client.
pub fn run(configuration: Configuration) -> Result<ExitCode> {
    if let Some(log) = &configuration.log {
        log::append_to(log);
    }
    secrets::keep();
    let credentials = credentials(&configuration);
    let destination = Destination::of(&configuration)?;
    let signals = Signals::of_the_end()?;
    let colours = Colours::begin_count(&configuration.client)?;
    begin(configuration, destination, colours, credentials, signals)
}

fn begin(
    configuration: Configuration,
    destination: Destination,
    colours: Colours,
    credentials: Option<Credentials>,
    mut signals: Signals,
) -> Result<ExitCode> {
    match Connecting::start(configuration.clone(), destination.clone(), colours)?.run(&mut signals)? {
        Outcome::Connected(connected) => hold_session(*connected, credentials, signals),
        Outcome::Failed(trouble, code) => {
            report::trouble(&trouble);
            Ok(code.and_then(|code| u8::try_from(code).ok()).filter(|&code| code != 0).unwrap_or(1).into())
        }
        Outcome::Interrupted => Ok(INTERRUPTED.into()),
        Outcome::Miscounted(number) => {
            begin(configuration, destination, Colours::counted(number), credentials, signals)
        }
    }
}

/// A session needs no relay to begin.
fn credentials(configuration: &Configuration) -> Option<Credentials> {
    configuration.turn.as_ref().filter(|_| configuration.punch)?;
    let refused = |why: String| {
        let (what, cure) = why.rsplit_once("; ").unwrap_or((&why, "say another"));
        let what = format!("no TURN server is used: {what}");
        report::trouble(&Trouble::told(Machine::Laptop, Step::Configuration, what, cure));
    };
    Credentials::read(configuration).map_err(refused).ok()
}

fn hold_session(
    connected: Connected,
    credentials: Option<Credentials>,
    signals: Signals,
) -> Result<ExitCode> {
    let Connected {
        configuration,
        connect,
        unread,
        candidates,
        intake,
        offers,
        login,
        look_up,
        client,
        mut progress,
    } = connected;
    let key = connect.key.parse().context("the key that the host told")?;
    // From here on the terminal is mosh-client's.
    progress.clear();
    let (client, front) = client.begin(&connect.key)?;
    drop(connect.key);
    let (families, verbose) = (configuration.families, configuration.verbose);
    let named = Named { stun: !configuration.stun.is_empty(), turn: configuration.turn.is_some() };
    let login = (login, unread);
    let scout = Scout::new(configuration, connect.port, intake, offers, login, look_up, clock::now());
    let forwarder = Forwarder::new(Gate::new(key), front, families, client, scout, credentials, signals)?;
    let ended = forwarder.run(&candidates)?;
    say_farewell(&ended, named, verbose);
    Ok(exit_code::end_as(ended.status))
}

fn say_farewell(ended: &Ended, named: Named, verbose: bool) {
    let path_used = farewell::path_used(&ended.agent);
    let would_be_direct = farewell::would_be_direct(&ended.agent, named, ended.at);
    // Where a path was found, what the host could not have is no trouble of the user's.
    if verbose || path_used.is_none() || would_be_direct.is_some() {
        farewell::told_by_the_host(&ended.failures).iter().for_each(report::note);
    }
    if verbose {
        farewell::story(&ended.agent, &ended.finds).iter().for_each(report::note);
    }
    match path_used {
        Some(line) => report::note(line),
        None => report::trouble(&without_a_path(ended)),
    }
    let cut_off = farewell::cut_off(&ended.agent, &ended.failures);
    let not_relayed = farewell::not_relayed(ended);
    would_be_direct.iter().chain(&cut_off).chain(&not_relayed).for_each(report::trouble);
}

fn without_a_path(Ended { agent, status, failures, .. }: &Ended) -> Trouble {
    if agent.counters().datagrams == 0 {
        return farewell::never_began(*status);
    }
    farewell::never_reached(agent, failures)
}
