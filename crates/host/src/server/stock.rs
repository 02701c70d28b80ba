//! What a stock client is told: the connect line, with the port by which it reaches mosh-server.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use anyhow::Result;
use net::clock;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use rustix::process::Pid;
use system::signal::HangUpPutOff;

use super::{Beginning, Begun, ask, broken, request};
use crate::cause::{Cause, Trouble};
use crate::mosh_server::{Detached, Reaper, Started};
use crate::session::{FromKeeper, Link, Mapped, ToKeeper};

/// Until when a stock client is kept waiting.
struct Wait {
    /// For a gateway to answer at all.
    silence: Instant,
    /// For one that answers to make the mapping.
    answers: Instant,
}

/// Hands on what mosh-server printed, once it is known by which port it can be reached.
pub(super) fn tell(beginning: Beginning, patience: Duration) -> Result<()> {
    let Beginning { keeper, started, beside, listening, budget } = beginning;
    match keeper {
        Ok(Some(Begun { link, .. })) => {
            let Started { line, detaching } = started;
            let Detached { process, behind, reaper } = detaching.wait(&beside)?;
            let now = clock::now();
            let until = Wait { silence: now + budget, answers: now + patience };
            let request = request(process, line.port, &listening);
            let (port, failure) = reachable_port(link, request, line.port, until, reaper);
            tell_failure(failure);
            line.tell(port)?;
            Ok(behind.pass_on()?)
        }
        Ok(None) => tell_own_port(started, &beside),
        Err(failure) => {
            tell_failure(Some(failure));
            tell_own_port(started, &beside)
        }
    }
}

/// The mosh client shows what comes before the connect line, and nothing after it.
fn tell_failure(failure: Option<Trouble>) {
    failure.iter().for_each(report::in_one_line);
}

/// Nothing is waited for but that mosh-server detaches, and for that behind the line.
fn tell_own_port(Started { line, detaching }: Started, beside: &[Pid]) -> Result<()> {
    // Who has read the line may hang up.
    let _until_it_has_detached = HangUpPutOff::begin();
    let told = line.tell(line.port);
    let detached = detaching.wait(beside)?;
    Ok(told.and_then(|()| detached.behind.pass_on())?)
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
