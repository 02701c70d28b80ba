//! `moshpunch server …`: mosh-server, and a port that reaches it from outside.
//!
//! The keeper looks for the gateway while mosh-server starts. Whatever fails on our side, the user gets what
//! mosh-server printed, and one line.

mod current;
mod offer;
mod stock;

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use net::interfaces::Attachment;
use rustix::process::Pid;
use wire::Bind;

use crate::cause::{Cause, Trouble};
use crate::configuration::Configuration;
use crate::keeper::detached;
pub use crate::mosh_server::OFFER_VARIABLE;
use programs::{exit_code, secrets};
use report::log;

use crate::mosh_server::{self, Listening, Outcome, ProcessIdentity, Reaper, Started};
use crate::need::{self, Client};
use crate::own_candidates::OwnAddresses;
use crate::session::{Link, Listens, Name, Opening, ToKeeper, Toward};
use crate::sessions::Notice;
use crate::ssh_connection::SshConnection;
use crate::sweep;

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
    let reaper = Reaper::new()?;
    let (configuration, misconfigured) = match configuration {
        Ok(configuration) => (configuration, None),
        Err(error) => (Configuration::default(), Some(Cause::misconfigured(&error).trouble())),
    };
    log_what_is_left_aside(&configuration);
    let client = if asked.offer { Client::Roaming } else { Client::Stock };
    let mosh_server_arguments = for_mosh_server(&asked.mosh_server_arguments, client, ssh, &configuration);
    let budget = match client {
        Client::Stock => configuration.budget,
        Client::Roaming => configuration.budget.max(wire::offer::PATIENCE),
    };
    let configuration = Configuration { budget, ..configuration };
    let listening = Listening::from_arguments(&mosh_server_arguments);
    let program = &configuration.mosh_server;
    let starting = mosh_server::start(program, &mosh_server_arguments, listening.verbose, reaper)?;
    // What it does not need is done while it starts. The keeper comes first: it has to look for the gateway meanwhile.
    let name = Name::new();
    let id = name.as_ref().ok().and_then(|name| name.id.parse().ok());
    let keeper = match misconfigured {
        Some(failure) => Err(failure),
        None => name
            .and_then(|name| start_keeper(name, client, &listening.bind, ssh, &configuration))
            .map_err(broken),
    };
    let sweep = sweep::start_if_needed();
    let notice = Notice::begin();
    let own = (client == Client::Roaming).then(OwnAddresses::read);
    let started = match starting.wait()? {
        Outcome::Ended(ended) => return Ok(exit_code::of(ended.pass_on()?)),
        Outcome::Started(started) => started,
    };
    notice.tell();
    let new_channel = id.filter(|_| own.is_some() && channel == Some(wire::channel::NEW));
    let beside = keeper.iter().flatten().map(|keeper| keeper.process).chain(sweep).collect();
    let beginning = Beginning { keeper, started, beside, listening, budget: configuration.budget };
    if new_channel.is_none() {
        configuration.left_out.iter().for_each(report::in_one_line);
    }
    match (own, new_channel) {
        (None, _) => stock::tell(beginning, configuration.patience)?,
        (Some(own), None) => offer::give(beginning, own)?,
        (Some(own), Some(id)) => {
            let seen = ssh.map(|ssh| ssh.client);
            offer::give_and_serve(beginning, own, id, seen, configuration)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// With the ports and the place of this host's choice, where nothing was said about them.
fn for_mosh_server<'a>(
    arguments: &'a [OsString],
    client: Client,
    ssh: Option<SshConnection>,
    configuration: &Configuration,
) -> Cow<'a, [OsString]> {
    let mut arguments = Cow::from(arguments);
    if let Some(ports) = &configuration.ports {
        arguments = mosh_server::with_ports(&arguments, ports).into();
    }
    if client == Client::Roaming {
        let bind = mosh_server::roaming_bind(ssh);
        arguments = mosh_server::with_bind(&arguments, &bind).into();
    }
    arguments
}

fn log_what_is_left_aside(configuration: &Configuration) {
    if let Some(file) = &configuration.log {
        log::append_to(file);
    }
    for section in &configuration.unknown_sections {
        tracing::info!(section, "a section of the configuration file that is not for this program");
    }
}

/// A keeper at work.
struct Begun {
    process: Pid,
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
    let toward = need::all(client, bind, ssh, &Attachment::read()?);
    let stays = (client == Client::Roaming).then(|| Listens { bind: bind.clone(), ssh });
    if toward.is_empty() && stays.is_none() {
        return Ok(None);
    }
    let openings = toward.iter().map(Toward::opening).collect();
    let (process, mut link) = detached::spawn(&name)?;
    link.send(&ToKeeper::Begin {
        name,
        toward,
        stays,
        lease: configuration.lease,
        budget: configuration.budget,
        log: configuration.log.clone(),
    })?;
    Ok(Some(Begun { process, link, openings }))
}

/// A session that begins, and what is known of the keeper that is to look after it.
struct Beginning {
    keeper: Result<Option<Begun>, Trouble>,
    started: Started,
    /// Of our own, which are not to be taken for mosh-server.
    beside: Vec<Pid>,
    listening: Listening,
    /// For the keeper's answers.
    budget: Duration,
}

/// To map that port for as long as that process lives.
fn request(
    process: Result<ProcessIdentity>,
    port: NonZeroU16,
    listening: &Listening,
) -> Result<ToKeeper, Trouble> {
    process.map(|process| ToKeeper::Map { process, port, ports: listening.ports.clone() }).map_err(broken)
}

fn ask(keeper: &mut Link, request: Result<ToKeeper, Trouble>) -> Result<(), Trouble> {
    keeper.send(&request?).map_err(broken)
}

fn broken(error: anyhow::Error) -> Trouble {
    Cause::broken(&error).trouble()
}
