//! A direct way appears, and nobody types: until the session goes by it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Blocked, HomeAndAway, Host, Lab, Spot, Terminal, USER, WriteUp, wait_until};

use super::PATIENCE;
use crate::Bench;
use crate::clock::{milliseconds_since, rest};
use crate::row::{Aim, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

/// Each takes up to a minute.
const RUNS: usize = 3;
const LIMIT: Duration = Duration::from_secs(100);

/// Once a session goes over ssh, for so long better ways are tried, and then once a minute: the longest wait comes behind it.
const TRIED: Duration = Duration::from_secs(12);

/// In milliseconds.
const AFTER_AN_OFFER: Aim = Aim::AtMost(10_000.0);
const WHERE_NOBODY_TELLS: Aim = Aim::AtMost(70_000.0);

const LOG: &str = "/tmp/ours.log";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let runs = bench.runs.min(RUNS);
    let row = |name: &'static str, measure: fn(&Bench) -> Result<Reading>, aim| -> Result<Row> {
        let contenders = vec![Contender::new(name, || measure(bench))];
        let samples = take_turns(name, contenders, runs)?;
        Ok(Row::new(name, Unit::Milliseconds, samples[name].clone()).aiming_at(aim))
    };
    Ok(vec![
        row("upgrade, once the router has mapped", the_router_begins_to_map, AFTER_AN_OFFER)?,
        row("upgrade, once UDP is let through", udp_is_let_through, WHERE_NOBODY_TELLS)?,
    ])
}

/// While the keeper still asks; the offer comes over ssh.
fn the_router_begins_to_map(bench: &Bench) -> Result<Reading> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let mut home = HomeAndAway::raise(&lab, Spot::Internet)?;
    home.lose_mappings()?;
    let _session = open(&home.laptop, &["--ssh=ssh -p 8022", "router"], "alice@server:~$")?;
    home.start_miniupnpd()?;
    wait_until("a mapping", PATIENCE, || Ok((!home.router.leases()?.is_empty()).then_some(())))?;
    time_to_a_direct_path(&home.laptop)
}

fn udp_is_let_through(bench: &Bench) -> Result<Reading> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let network = WriteUp::raise(&lab)?;
    network.router.block_udp(Blocked::BothWays)?;
    let _session = open(&network.laptop, &["router"], "alice@router:~$")?;
    rest(TRIED)?;
    network.router.let_udp_through()?;
    time_to_a_direct_path(&network.laptop)
}

fn open(laptop: &Host, words: &[&str], prompt: &str) -> Result<Terminal> {
    let command = laptop.command("moshpunch").arg(format!("--log={LOG}")).args(words).as_user(USER);
    let terminal = laptop.terminal(&command, 24, 80)?;
    terminal.wait_for(prompt, PATIENCE)?;
    Ok(terminal)
}

fn time_to_a_direct_path(laptop: &Host) -> Result<Reading> {
    let start = net::clock::now();
    let found = wait_until("a direct path", LIMIT, || {
        let log = laptop.read_file(LOG)?;
        let moved = log.lines().rfind(|line| line.contains("Moved {")).context("no path in the log")?;
        Ok(moved.contains("address: Some(").then_some(()))
    });
    Ok(found.is_ok().then(|| milliseconds_since(start)))
}
