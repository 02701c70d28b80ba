//! `moshpunch server …`: mosh-server, and a port that reaches it from outside.
//!
//! The keeper looks for the gateway while mosh-server starts. Whatever fails on our side, the user gets what
//! mosh-server printed, and one line.

mod current;
mod offer;

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use net::clock;
use net::interfaces::Attachment;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use wire::Bind;

use crate::cause::{Cause, Trouble};
use crate::channel::Session;
use crate::configuration::Configuration;
use crate::keeper::detached;
pub use crate::mosh_server::OFFER_VARIABLE;
use programs::{exit_code, secrets};
use report::log;

use crate::mosh_server::{self, Listening, Outcome, Printed, ProcessIdentity, Reaper, Started};
use crate::need::{self, Client};
use crate::session::{FromKeeper, Link, Listens, Mapped, Name, Opening, ToKeeper, Toward};
use crate::sessions::Notice;
use crate::ssh_connection::SshConnection;
use crate::sweep;

use self::offer::Beginning;

/// What is asked for.
#[derive(Debug)]
pub struct Asked {
    /// By our own client, which wants to hear where else this host can be reached, and waits for nothing.
    pub offer: bool,
    /// And to talk on: see [`wire::channel::VARIABLE`].
    pub channel: Option<OsString>,
    /// Passed to mosh-server as they are.
    pub mosh_server_arguments: Vec<OsString>,
}

/// A session starts whatever `configuration` is; what is wrong with it is told.
///
/// # Errors
///
/// mosh-server cannot be started, or nobody reads what it prints.
pub fn run(asked: &Asked, configuration: Result<Configuration>) -> Result<ExitCode> {
    let channel = asked.channel.as_ref().and_then(|text| text.to_str());
    let ssh = env::var("SSH_CONNECTION").ok().and_then(|text| SshConnection::parse(&text));
    if let Some(rest) = current::is_asked_for(&asked.mosh_server_arguments) {
        let session = channel.and_then(|text| text.parse().ok());
        return current::run(rest, session, ssh, &configuration.unwrap_or_default());
    }
    secrets::keep();
    let mut reaper = Reaper::new()?;
    let (configuration, misconfigured) = match configuration {
        Ok(configuration) => (configuration, None),
        Err(error) => (Configuration::default(), Some(Cause::misconfigured(&error).trouble())),
    };
    log_what_is_left_aside(&configuration);
    let client = if asked.offer { Client::Roaming } else { Client::Stock };
    let mut mosh_server_arguments = Cow::from(&asked.mosh_server_arguments);
    if let Some(ports) = &configuration.ports {
        mosh_server_arguments = mosh_server::with_ports(&mosh_server_arguments, ports).into();
    }
    let mut budget = configuration.budget;
    if client == Client::Roaming {
        let bind = mosh_server::roaming_bind(ssh);
        mosh_server_arguments = mosh_server::with_bind(&mosh_server_arguments, &bind).into();
        budget = budget.max(wire::offer::PATIENCE);
    }
    let configuration = Configuration { budget, ..configuration };
    let listening = Listening::from_arguments(&mosh_server_arguments);
    let name = Name::new();
    let id = name.as_ref().ok().and_then(|name| name.id.parse().ok());
    let keeper = match misconfigured {
        Some(failure) => Err(failure),
        None => name
            .and_then(|name| start_keeper(name, client, &listening.bind, ssh, &configuration))
            .map_err(broken),
    };
    let notice = Notice::begin();
    let program = &configuration.mosh_server;
    let started = match mosh_server::start(program, &mosh_server_arguments, listening.verbose, &mut reaper)? {
        Outcome::Ended(ended) => return Ok(exit_code::of(ended.pass_on()?)),
        Outcome::Started(started) => started,
    };
    let Started { process, printed } = started;
    notice.tell();
    let identity = process.as_ref().ok().copied();
    let request = process.map(|process| request(process, printed.port(), &listening)).map_err(broken);
    let now = clock::now();
    let deadline = now + configuration.budget;
    let new_channel = id.filter(|_| client == Client::Roaming && channel == Some(wire::channel::NEW));
    if let Some(id) = new_channel {
        let session = Session { id, port: printed.port(), process: identity };
        let beginning = Beginning { keeper, request, printed, deadline, reaper };
        let seen = ssh.map(|ssh| ssh.client);
        offer::give_and_serve(beginning, session, seen, configuration)?;
        return Ok(ExitCode::SUCCESS);
    }
    configuration.left_out.iter().for_each(report::in_one_line);
    match client {
        Client::Stock => {
            let until = Wait { silence: deadline, answers: now + configuration.patience };
            tell(keeper, request, printed, until, reaper)?;
        }
        Client::Roaming => offer::give(Beginning { keeper, request, printed, deadline, reaper })?,
    }
    Ok(ExitCode::SUCCESS)
}

fn log_what_is_left_aside(configuration: &Configuration) {
    if let Some(file) = &configuration.log {
        log::append_to(file);
    }
    for section in &configuration.unknown_sections {
        tracing::info!(section, "a section of the configuration file that is not for this program");
    }
}

/// Until when a stock client is kept waiting.
struct Wait {
    /// For a gateway to answer at all.
    silence: Instant,
    /// For one that answers to make the mapping.
    answers: Instant,
}

/// A keeper at work.
struct Begun {
    link: Link,
    openings: Vec<Opening>,
}

/// `None`: this client needs no mapping. Ours may need one later.
fn start_keeper(
    name: Name,
    client: Client,
    bind: &Bind,
    ssh: Option<SshConnection>,
    configuration: &Configuration,
) -> Result<Option<Begun>> {
    sweep::start_if_needed();
    let toward = need::all(client, bind, ssh, &Attachment::read()?);
    let stays = (client == Client::Roaming).then(|| Listens { bind: bind.clone(), ssh });
    if toward.is_empty() && stays.is_none() {
        return Ok(None);
    }
    let openings = toward.iter().map(Toward::opening).collect();
    let mut link = detached::spawn(&name)?;
    link.send(&ToKeeper::Begin {
        name,
        toward,
        stays,
        lease: configuration.lease,
        budget: configuration.budget,
        log: configuration.log.clone(),
    })?;
    Ok(Some(Begun { link, openings }))
}

/// To map that port for as long as that process lives.
fn request(process: ProcessIdentity, port: NonZeroU16, listening: &Listening) -> ToKeeper {
    ToKeeper::Map { process, port, ports: listening.ports.clone() }
}

/// Hands on what mosh-server printed, once it is known by which port it can be reached.
fn tell(
    keeper: Result<Option<Begun>, Trouble>,
    request: Result<ToKeeper, Trouble>,
    printed: Printed,
    until: Wait,
    reaper: Reaper,
) -> Result<()> {
    let (port, failure) = match keeper {
        Ok(None) => (printed.port(), None),
        Ok(Some(keeper)) => reachable_port(keeper.link, request, printed.port(), until, reaper),
        Err(failure) => (printed.port(), Some(failure)),
    };
    // The mosh client shows what comes before the connect line, and nothing after it.
    failure.iter().for_each(report::in_one_line);
    Ok(printed.pass_on(port)?)
}

/// The port to tell the user, and what there is to say about it.
fn reachable_port(
    mut keeper: Link,
    request: Result<ToKeeper, Trouble>,
    internal_port: NonZeroU16,
    until: Wait,
    reaper: Reaper,
) -> (NonZeroU16, Option<Trouble>) {
    let (port, failure) = match map(&mut keeper, request, until, reaper) {
        Ok(Mapped { external_port, caution, .. }) => (external_port, caution),
        Err(failure) => (internal_port, Some(failure)),
    };
    // A keeper that is gone needs not be told.
    let _ = keeper.send(&ToKeeper::Told { port });
    (port, failure)
}

fn map(
    keeper: &mut Link,
    request: Result<ToKeeper, Trouble>,
    until: Wait,
    mut reaper: Reaper,
) -> Result<Mapped, Trouble> {
    ask(keeper, request)?;
    let mut deadline = until.silence;
    let mut is_heard = false;
    loop {
        match keeper.receive().map_err(broken)? {
            Some(FromKeeper::Answer(answer)) => return answer.outcome,
            Some(FromKeeper::Hears) => is_heard = true,
            Some(
                FromKeeper::Session { .. }
                | FromKeeper::Trouble(_)
                | FromKeeper::Superseded
                | FromKeeper::Punched { .. },
            ) => {}
            None if clock::now() >= deadline && is_heard && deadline < until.answers => {
                report::note("the router is slow to answer; waiting for it");
                deadline = until.answers;
            }
            None if clock::now() >= deadline => return Err(Cause::TooSlow.trouble()),
            None => {
                let mut sources = [PollFd::new(keeper, PollFlags::IN), PollFd::new(&reaper, PollFlags::IN)];
                wait(&mut sources, Some(deadline)).map_err(|error| broken(error.into()))?;
                reaper.reap();
            }
        }
    }
}

fn ask(keeper: &mut Link, request: Result<ToKeeper, Trouble>) -> Result<(), Trouble> {
    keeper.send(&request?).map_err(broken)
}

fn broken(error: anyhow::Error) -> Trouble {
    Cause::broken(&error).trouble()
}
