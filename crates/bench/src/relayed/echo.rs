//! From a key to its echo.

use anyhow::Result;

use super::SSH;
use super::network::{Surroundings, Way};
use crate::Bench;
use crate::punched::{OURS, PROMPT, SSH as BY_SSH, log};
use crate::row::{Row, Unit};
use crate::sample::Sample;
use crate::typist::{Typist, slowest_in_a_hundred, type_by_turns};

pub(super) fn measure(bench: &Bench, surroundings: &Surroundings, way: Way) -> Result<Vec<Row>> {
    let laptop = &surroundings.network.laptop;
    log::forget(laptop)?;
    let words = [&[OURS, log::OPTION][..], &way.words()].concat();
    let typists = [Typist::open(laptop, &words, PROMPT)?, Typist::open(laptop, &BY_SSH, PROMPT)?];
    log::wait_for_move(laptop, way.kind(), 0)?;
    let [ours, ssh] = type_by_turns(typists, bench.runs)?;
    let row = |name: String, ours: &Sample, theirs: &Sample| {
        Row::new(name, Unit::Milliseconds, ours.clone()).beside(SSH, theirs.clone())
    };
    Ok(vec![
        row(format!("echo, {}", way.name()), &ours, &ssh),
        row(
            "… of the slowest in a hundred".into(),
            &slowest_in_a_hundred(&ours),
            &slowest_in_a_hundred(&ssh),
        ),
    ])
}
