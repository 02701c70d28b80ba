//! From enter to the first prompt. Nobody tells the laptop that what it sends by UDP is dropped.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Blocked, Host, Impairment, Lab, USER, WriteUp};

use super::{OURS, PATIENCE, SSH};
use crate::Bench;
use crate::clock::milliseconds_since;
use crate::row::{Aim, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

/// In milliseconds.
const ROUND_TRIPS: [u32; 3] = [0, 50, 200];

/// In milliseconds, beside two round trips.
const ABOVE_SSH: u32 = 300;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let network = WriteUp::raise(&lab)?;
    network.router.block_udp(Blocked::BothWays)?;
    let mut rows = Vec::new();
    for round_trip in ROUND_TRIPS {
        let there = Duration::from_millis(round_trip.into()) / 2;
        network.internet.impair(Impairment::NONE.delay(there))?;
        let contender = |name| Contender::new(name, || connect(&network.laptop, name));
        let name = format!("prompt, {round_trip} ms round trip");
        let samples = take_turns(&name, vec![contender(OURS), contender(SSH)], bench.runs)?;
        let row = Row::new(name, Unit::Milliseconds, samples[OURS].clone());
        let aim = Aim::AbovePeer((ABOVE_SSH + 2 * round_trip).into());
        rows.push(row.beside(SSH, samples[SSH].clone()).aiming_at(aim));
    }
    Ok(rows)
}

fn connect(laptop: &Host, client: &str) -> Result<Reading> {
    let command = laptop.command(client).arg("router").as_user(USER);
    let start = net::clock::now();
    let mut terminal = laptop.terminal(&command, 24, 80)?;
    terminal.wait_for("alice@router:~$", PATIENCE)?;
    let took = milliseconds_since(start);
    terminal.type_text("exit\r")?;
    terminal.wait_exit(PATIENCE).context("leaving")?;
    Ok(Some(took))
}
