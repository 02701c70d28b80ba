//! `moshpunch server …`: mosh-server, and a port that reaches it from outside.
//!
//! The keeper looks for the gateway while mosh-server starts. Whatever fails on our side, the user gets what
//! mosh-server printed, and one line.

mod current;
pub(crate) mod offer;

use std::borrow::Cow;
use std::env;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use net::clock;
use net::interfaces::Attachment;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};

use crate::arguments::ServerArguments;
use crate::commands::{keeper, sweep};
use crate::configuration::ServerConfiguration;
use crate::exit_code;
use crate::mosh_server::{self, Bind, Listening, Outcome, Started};
use crate::need::{self, Client, SshConnection};
use crate::report;
use crate::session::{Failure, FromKeeper, Link, Mapped, Name, Opening, ToKeeper, Toward};

pub(crate) fn run(arguments: &ServerArguments) -> Result<ExitCode> {
    if let Some(rest) = current::is_asked_for(&arguments.mosh_server_arguments) {
        return current::run(rest);
    }
    let (configuration, misconfigured) = match ServerConfiguration::load(arguments) {
        Ok(configuration) => (configuration, None),
        Err(error) => (ServerConfiguration::fallback(), Some(Failure::of(&error, CORRECT_IT))),
    };
    let client = if arguments.offer { Client::Roaming } else { Client::Stock };
    let mut mosh_server_arguments = Cow::from(&arguments.mosh_server_arguments);
    if let Some(ports) = &configuration.ports {
        mosh_server_arguments = mosh_server::with_ports(&mosh_server_arguments, ports).into();
    }
    let mut budget = configuration.budget;
    let ssh = env::var("SSH_CONNECTION").ok().and_then(|text| SshConnection::parse(&text));
    if client == Client::Roaming {
        let bind = mosh_server::roaming_bind(ssh);
        mosh_server_arguments = mosh_server::with_bind(&mosh_server_arguments, &bind).into();
        budget = budget.max(offer::PATIENCE);
    }
    let configuration = ServerConfiguration { budget, ..configuration };
    let deadline = clock::now() + configuration.budget;
    let listening = Listening::from_arguments(&mosh_server_arguments);
    let keeper = match misconfigured {
        Some(failure) => Err(failure),
        None => start_keeper(client, &listening.bind, ssh, &configuration).map_err(broken),
    };
    let mut outcome =
        mosh_server::start(&configuration.mosh_server, &mosh_server_arguments, listening.verbose)?;
    let status = exit_code::of(outcome.status);
    match (outcome.started.take(), client) {
        (None, _) => relay(&outcome.output, &outcome.errors)?,
        (Some(started), Client::Stock) => tell(keeper, started, &outcome, &listening, deadline)?,
        (Some(started), Client::Roaming) => {
            let map = |keeper: &mut Link, started| ask_for_mapping(keeper, started, &listening);
            offer::give(keeper, started, &outcome, map, deadline)?;
        }
    }
    Ok(status)
}

const CORRECT_IT: &str = "correct the setting, then connect again";
const TRY_AGAIN: &str = "connect again; if it stays so, report it";

/// A keeper at work.
struct Begun {
    link: Link,
    openings: Vec<Opening>,
}

/// `None`: this client needs no mapping.
fn start_keeper(
    client: Client,
    bind: &Bind,
    ssh: Option<SshConnection>,
    configuration: &ServerConfiguration,
) -> Result<Option<Begun>> {
    sweep::start_if_needed();
    let toward = need::all(client, bind, ssh, &Attachment::read()?);
    if toward.is_empty() {
        return Ok(None);
    }
    let openings = toward.iter().map(Toward::opening).collect();
    let name = Name::new()?;
    let mut link = keeper::spawn(&name)?;
    link.send(&ToKeeper::Begin {
        name,
        toward,
        lease: configuration.lease,
        budget: configuration.budget,
        log: configuration.log.clone(),
    })?;
    Ok(Some(Begun { link, openings }))
}

/// Hands on what mosh-server printed, once it is known by which port it can be reached.
fn tell(
    keeper: Result<Option<Begun>, Failure>,
    started: Started,
    outcome: &Outcome,
    listening: &Listening,
    deadline: Instant,
) -> Result<()> {
    let (port, failure) = match keeper {
        Ok(None) => (started.port, None),
        Ok(Some(keeper)) => reachable_port(keeper.link, started, listening, deadline),
        Err(failure) => (started.port, Some(failure)),
    };
    // The mosh client shows what comes before the connect line, and nothing after it.
    failure.iter().for_each(report_failure);
    relay(&mosh_server::with_port(&outcome.output, port), &outcome.errors)
}

/// The port to tell the user, and what there is to say about it.
fn reachable_port(
    mut keeper: Link,
    started: Started,
    listening: &Listening,
    deadline: Instant,
) -> (NonZeroU16, Option<Failure>) {
    let internal_port = started.port;
    let (port, failure) = match map(&mut keeper, started, listening, deadline) {
        Ok(Mapped { external_port, caution, .. }) => (external_port, caution),
        Err(failure) => (internal_port, Some(failure)),
    };
    // A keeper that is gone needs not be told.
    let _ = keeper.send(&ToKeeper::Told { port });
    (port, failure)
}

fn map(
    keeper: &mut Link,
    started: Started,
    listening: &Listening,
    deadline: Instant,
) -> Result<Mapped, Failure> {
    ask_for_mapping(keeper, started, listening)?;
    loop {
        match keeper.receive().map_err(broken)? {
            Some(FromKeeper { outcome, .. }) => return outcome,
            None if clock::now() >= deadline => return Err(Failure::too_slow()),
            None => {
                wait(&mut [PollFd::new(keeper, PollFlags::IN)], Some(deadline))
                    .map_err(|error| broken(error.into()))?;
            }
        }
    }
}

fn ask_for_mapping(
    keeper: &mut Link,
    Started { port, process }: Started,
    listening: &Listening,
) -> Result<(), Failure> {
    let (first, last) = (*listening.ports.start(), *listening.ports.end());
    keeper.send(&ToKeeper::Map { process: process.map_err(broken)?, port, first, last }).map_err(broken)
}

fn report_failure(Failure { cause, cure }: &Failure) {
    report::no_mapping(cause, cure);
}

fn broken(error: anyhow::Error) -> Failure {
    Failure::of(&error, TRY_AGAIN)
}

impl Failure {
    fn of(error: &anyhow::Error, cure: &str) -> Self {
        Self { cause: format!("{error:#}"), cure: cure.into() }
    }

    fn too_slow() -> Self {
        Self {
            cause: "the router did not answer in time".into(),
            cure: "it goes on in the background for a while; if that is not enough, give it more time with --budget"
                .into(),
        }
    }
}

fn relay(output: &str, errors: &[u8]) -> Result<()> {
    io::stdout().write_all(output.as_bytes())?;
    io::stdout().flush()?;
    io::stderr().write_all(errors)?;
    Ok(())
}
