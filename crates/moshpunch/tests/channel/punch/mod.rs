//! Openers from mosh-server's own socket, for a laptop that asks for them.

mod ends;
mod nats;
mod openers;
mod refusals;
mod seen;

use anyhow::{Context, Result};
use lab::harness::Scenario;
use lab::wait_until;
use wire::channel::{Frame, Punched};

use crate::common::PATIENCE;
use crate::laptop::Login;

pub(crate) fn scenarios() -> Vec<Scenario> {
    [openers::scenarios(), refusals::scenarios(), ends::scenarios(), nats::scenarios()].concat()
}

/// In letters, so that an opener is a text.
const COOKIE: &str = "30313233343536373839616263646566";
const OPENER: &str = "moshpunch opener0123456789abcdef";

fn punch(round: u32, to: &[&str]) -> String {
    let to: String = to.iter().map(|target| format!(" to={target}")).collect();
    format!("MOSHPUNCH PUNCH {round} {COOKIE}{to}\n")
}

/// What the host answers to this round.
fn answer(login: &mut Login, round: u32, to: &[&str]) -> Result<Punched> {
    login.say(&punch(round, to))?;
    login.hears(&format!("MOSHPUNCH PUNCHED {round}"))?;
    let of_this = |frame| match frame {
        Frame::Punched { round: of, outcome } if of == round => Some(outcome),
        _ => None,
    };
    let told = || Ok(login.frames().into_iter().find_map(of_this));
    wait_until("the rest of the line", PATIENCE, told).with_context(|| login.ssh.log())
}

/// A round that is taken, `first` or one of those after it: from where the openers come. There is one a second.
fn round(login: &mut Login, first: u32, to: &[&str]) -> Result<Vec<String>> {
    let mut next = first..;
    wait_until("a round to be taken", PATIENCE, || {
        let number = next.next().context("a number")?;
        Ok(match answer(login, number, to)? {
            Punched::Sent { from } => Some(from.iter().map(ToString::to_string).collect()),
            Punched::Refused { reason } if reason == "busy" => None,
            Punched::Refused { reason } => anyhow::bail!("refused: {reason}"),
        })
    })
}
