//! `moshpunch server …`: mosh-server, and a port that reaches it from outside.
//!
//! The keeper looks for the gateway while mosh-server starts. Whatever fails on our side, the user gets what
//! mosh-server printed, and one line.

use std::env;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use anyhow::Result;
use net::clock;
use net::interfaces::Attachment;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};

use crate::arguments::ServerArguments;
use crate::commands::{keeper, sweep};
use crate::configuration::ServerConfiguration;
use crate::mosh_server::{self, Bind, Listening, Started};
use crate::need::{Need, SshConnection};
use crate::report;
use crate::session::{Failure, FromKeeper, Link, Name, ToKeeper};

pub(crate) fn run(arguments: &ServerArguments) -> Result<ExitCode> {
    let (configuration, misconfigured) = match ServerConfiguration::load(arguments) {
        Ok(configuration) => (configuration, None),
        Err(error) => (ServerConfiguration::fallback(), Some(Failure::of(&error, CORRECT_IT))),
    };
    let deadline = clock::now() + configuration.budget;
    let mosh_server_arguments = match &configuration.ports {
        Some(ports) => mosh_server::with_ports(&arguments.mosh_server_arguments, ports),
        None => arguments.mosh_server_arguments.clone(),
    };
    let listening = Listening::from_arguments(&mosh_server_arguments);
    let keeper = match misconfigured {
        Some(failure) => Err(failure),
        None => start_keeper(&listening.bind, &configuration).map_err(broken),
    };
    let outcome = mosh_server::start(&configuration.mosh_server, &mosh_server_arguments, listening.verbose)?;
    let Some(started) = outcome.started else {
        relay(&outcome.output, &outcome.errors)?;
        return Ok(exit_code(outcome.status));
    };
    let (port, failure) = match keeper {
        Ok(None) => (started.port, None),
        Ok(Some(keeper)) => reachable_port(keeper, started, &listening, deadline),
        Err(failure) => (started.port, Some(failure)),
    };
    // The mosh client shows what comes before the connect line, and nothing after it.
    if let Some(Failure { cause, cure }) = failure {
        report::no_mapping(&cause, &cure);
    }
    relay(&mosh_server::with_port(&outcome.output, port), &outcome.errors)?;
    Ok(exit_code(outcome.status))
}

const CORRECT_IT: &str = "correct the setting, then connect again";
const TRY_AGAIN: &str = "connect again; if it stays so, report it";

struct Mapped {
    external_port: NonZeroU16,
    caution: Option<Failure>,
}

/// `None`: this client needs no mapping.
fn start_keeper(bind: &Bind, configuration: &ServerConfiguration) -> Result<Option<Link>> {
    sweep::start_if_needed();
    let ssh = env::var("SSH_CONNECTION").ok().and_then(|text| SshConnection::parse(&text));
    let Need::Mapping { internal, gateway, fixed } = Need::of(bind, ssh, &Attachment::read()?) else {
        return Ok(None);
    };
    let mut link = keeper::spawn()?;
    link.send(&ToKeeper::Begin {
        name: Name::new()?,
        internal,
        gateway,
        internal_is_fixed: fixed,
        lease: configuration.lease,
        budget: configuration.budget,
        log: configuration.log.clone(),
    })?;
    Ok(Some(link))
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
        Ok(Mapped { external_port, caution }) => (external_port, caution),
        Err(failure) => (internal_port, Some(failure)),
    };
    // A keeper that is gone needs not be told.
    let _ = keeper.send(&ToKeeper::Told { port });
    (port, failure)
}

fn map(
    keeper: &mut Link,
    Started { port, process }: Started,
    listening: &Listening,
    deadline: Instant,
) -> Result<Mapped, Failure> {
    let (first, last) = (*listening.ports.start(), *listening.ports.end());
    keeper.send(&ToKeeper::Map { process: process.map_err(broken)?, port, first, last }).map_err(broken)?;
    loop {
        match keeper.receive().map_err(broken)? {
            Some(FromKeeper::Mapped { external_port, caution }) => {
                return Ok(Mapped { external_port, caution });
            }
            Some(FromKeeper::NotMapped(failure)) => return Err(failure),
            None if clock::now() >= deadline => return Err(Failure::too_slow()),
            None => {
                wait(&mut [PollFd::new(keeper, PollFlags::IN)], Some(deadline))
                    .map_err(|error| broken(error.into()))?;
            }
        }
    }
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

/// A signal counts as in a shell.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
