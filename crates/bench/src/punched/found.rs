//! From the host's hello until the server answers through a hole.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Host, Impairment, Lab, Nat, USER};

use super::log::Kind;
use super::network::Network;
use super::{BY_SSH, OURS, PATIENCE, PROMPT, log};
use crate::Bench;
use crate::clock::milliseconds;
use crate::row::{Aim, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

/// In milliseconds.
const ROUND_TRIPS: [u32; 3] = [0, 50, 200];

/// In milliseconds, beside three round trips.
const AIM: u32 = 1_000;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    ROUND_TRIPS.iter().map(|&round_trip| measure_one(bench, round_trip)).collect()
}

fn measure_one(bench: &Bench, round_trip: u32) -> Result<Row> {
    let lab = Lab::new("bench")?;
    let there = Duration::from_millis(round_trip.into()) / 2;
    let network = Network::raise(bench, &lab, &Nat::home("wan0"), Impairment::NONE.delay(there))?;
    let name = format!("a hole, {round_trip} ms round trip");
    let contenders = vec![Contender::new(OURS, || find_one(&network.laptop))];
    let samples = take_turns(&name, contenders, bench.runs)?;
    let row = Row::new(name, Unit::Milliseconds, samples[OURS].clone());
    Ok(row.aiming_at(Aim::AtMost((AIM + 3 * round_trip).into())))
}

fn find_one(laptop: &Host) -> Result<Reading> {
    log::forget(laptop)?;
    let command = laptop.command(OURS).arg(log::OPTION).args(BY_SSH).as_user(USER);
    let mut terminal = laptop.terminal(&command, 24, 80)?;
    terminal.wait_for(PROMPT, PATIENCE)?;
    let found = log::wait_for_move(laptop, Kind::Punched, 0);
    let took = found.is_ok().then(|| log::time_to(laptop, Kind::Punched)).transpose()?;
    terminal.type_text("exit\r")?;
    terminal.wait_exit(PATIENCE).context("leaving")?;
    Ok(took.map(milliseconds))
}
