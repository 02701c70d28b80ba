//! From a key to its echo, beside ssh and beside the same session over ssh.

use std::time::Duration;

use anyhow::Result;
use lab::{Impairment, Lab, Nat};

use super::log::Kind;
use super::network::Network;
use super::{BY_SSH, OURS, PROMPT, SSH, log};
use crate::Bench;
use crate::row::{Row, Unit};
use crate::sample::Sample;
use crate::typist::{Typist, slowest_in_twenty, type_by_turns};

const THERE: Duration = Duration::from_millis(25);
const CARRIED: &str = "moshpunch over ssh";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    let network = Network::raise(bench, &lab, &Nat::home("wan0"), Impairment::NONE.delay(THERE))?;
    let ours = [&[OURS, log::OPTION], &BY_SSH[..]].concat();
    let carried = [&[OURS, "--no-punch"], &BY_SSH[..]].concat();
    let [ours, ssh, carried] =
        [&ours[..], &SSH, &carried].map(|words| Typist::open(&network.laptop, words, PROMPT));
    let typists = [ours?, ssh?, carried?];
    log::wait_for_move(&network.laptop, Kind::Punched, 0)?;
    let [ours, ssh, carried] = type_by_turns(typists, bench.runs)?;
    let [our_slowest, ssh_slowest, carried_slowest] = [&ours, &ssh, &carried].map(slowest_in_twenty);
    let row = |name, ours: &Sample, peer, theirs: &Sample| {
        Row::new(name, Unit::Milliseconds, ours.clone()).beside(peer, theirs.clone())
    };
    Ok(vec![
        row("echo, 50 ms round trip", &ours, SSH[0], &ssh),
        row("… of the slowest in twenty", &our_slowest, SSH[0], &ssh_slowest),
        row("the same", &ours, CARRIED, &carried),
        row("… of the slowest in twenty", &our_slowest, CARRIED, &carried_slowest),
    ])
}
