//! From enter to the prompt; and from the host's hello until the session goes as it is to.

use anyhow::{Context as _, Result};
use lab::{Host, USER};

use super::SSH;
use super::network::{Surroundings, Way};
use crate::Bench;
use crate::clock::{milliseconds, milliseconds_since};
use crate::punched::{OURS, PATIENCE, PROMPT, SSH as BY_SSH, log};
use crate::row::{Aim, Row, Unit};
use crate::sample::{Reading, Sample};
use crate::turns::{Contender, take_turns};

/// In milliseconds: 2.5 s and six round trips.
const RELAYED: Aim = Aim::AtMost(2_800.0);

pub(super) fn measure(bench: &Bench, surroundings: &Surroundings, way: Way) -> Result<Vec<Row>> {
    let laptop = &surroundings.network.laptop;
    let mut upgrades = Vec::new();
    let contenders = vec![
        Contender::new(OURS, || {
            let [prompt, upgrade] = begin(laptop, way)?;
            upgrades.push(upgrade);
            Ok(prompt)
        }),
        Contender::new(SSH, || time_to_prompt(laptop, &BY_SSH)),
    ];
    let name = format!("prompt, {}", way.name());
    let samples = take_turns(&name, contenders, bench.runs)?;
    let prompt = Row::new(name, Unit::Milliseconds, samples[OURS].clone()).beside(SSH, samples[SSH].clone());
    let upgrade =
        Row::new("… until it goes so", Unit::Milliseconds, upgrades.into_iter().collect::<Sample>());
    Ok(match way {
        Way::OverSsh => vec![prompt],
        Way::ThroughAHole => vec![prompt, upgrade],
        Way::ByARelay => vec![prompt, upgrade.aiming_at(RELAYED)],
    })
}

fn begin(laptop: &Host, way: Way) -> Result<[Reading; 2]> {
    log::forget(laptop)?;
    let command = laptop.command(OURS).arg(log::OPTION).args(way.words()).as_user(USER);
    let start = net::clock::now();
    let mut terminal = laptop.terminal(&command, 24, 80)?;
    terminal.wait_for(PROMPT, PATIENCE)?;
    let prompt = milliseconds_since(start);
    let is_there = log::wait_for_move(laptop, way.kind(), 0).is_ok();
    let upgrade = is_there.then(|| log::time_to(laptop, way.kind())).transpose()?;
    terminal.type_text("exit\r")?;
    terminal.wait_exit(PATIENCE).context("leaving")?;
    Ok([Some(prompt), upgrade.map(milliseconds)])
}

fn time_to_prompt(laptop: &Host, words: &[&str]) -> Result<Reading> {
    let command = laptop.command(words[0]).args(&words[1..]).as_user(USER);
    let start = net::clock::now();
    let mut terminal = laptop.terminal(&command, 24, 80)?;
    terminal.wait_for(PROMPT, PATIENCE)?;
    let prompt = milliseconds_since(start);
    terminal.type_text("exit\r")?;
    terminal.wait_exit(PATIENCE).context("leaving")?;
    Ok(Some(prompt))
}
