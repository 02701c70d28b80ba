//! `moshpunch server …`: mosh-server, and a port that reaches it from outside.
//!
//! The keeper looks for the gateway while mosh-server starts. Whatever fails on our side, the user gets what
//! mosh-server printed, and one line.

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
use crate::mosh_server::{self, Bind, Listening, ProcessIdentity};
use crate::need::{Need, SshConnection};
use crate::report;
use crate::session::{Failure, FromKeeper, Link, Name, ToKeeper};

pub(crate) fn run(arguments: &ServerArguments) -> Result<ExitCode> {
    let (configuration, mut failure) = match ServerConfiguration::load(arguments) {
        Ok(configuration) => (configuration, None),
        Err(error) => (
            ServerConfiguration::fallback(),
            Some(Failure::of(&error, "correct the setting, then connect again")),
        ),
    };
    let deadline = clock::now() + configuration.budget;
    let listening = Listening::from_arguments(&arguments.mosh_server_arguments);
    let keeper = match failure {
        Some(_) => None,
        None => start_keeper(&listening.bind, &configuration).unwrap_or_else(|error| {
            failure = Some(Failure::of(&error, "connect again; if it stays so, report it"));
            None
        }),
    };
    let outcome =
        mosh_server::start(&configuration.mosh_server, &arguments.mosh_server_arguments, listening.verbose)?;
    let Some(started) = outcome.started else {
        relay(&outcome.output, &outcome.errors)?;
        return Ok(exit_code(outcome.status));
    };
    let mut told = started.port;
    if let Some(mut keeper) = keeper {
        match map(&mut keeper, started.process, told, &listening, deadline) {
            Ok(Mapped { external_port, caution }) => {
                told = external_port;
                failure = caution;
            }
            Err(reason) => failure = Some(reason),
        }
        // A keeper that is gone needs not be told.
        let _ = keeper.send(&ToKeeper::Told { port: told });
    }
    // The mosh client shows what comes before the connect line, and nothing after it.
    if let Some(Failure { cause, cure }) = failure {
        report::no_mapping(&cause, &cure);
    }
    relay(&mosh_server::with_port(&outcome.output, told), &outcome.errors)?;
    Ok(exit_code(outcome.status))
}

struct Mapped {
    external_port: NonZeroU16,
    caution: Option<Failure>,
}

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

fn map(
    keeper: &mut Link,
    process: Result<ProcessIdentity>,
    port: NonZeroU16,
    listening: &Listening,
    deadline: Instant,
) -> Result<Mapped, Failure> {
    let broken = |error: anyhow::Error| Failure::of(&error, "connect again; if it stays so, report it");
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
fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
