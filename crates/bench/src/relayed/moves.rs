//! From one café to another, beside what a login takes there.

use anyhow::Result;

use super::network::{Surroundings, Way};
use crate::Bench;
use crate::punched::OURS;
use crate::punched::moves::{LOGIN, Session, log_in};
use crate::row::{Row, Unit};
use crate::turns::{Contender, take_turns};

pub(super) fn measure(bench: &Bench, surroundings: &Surroundings, way: Way) -> Result<Vec<Row>> {
    let network = &surroundings.network;
    let mut session = Session::open(network, &way.words(), way.kind())?;
    let mut again = Vec::new();
    let contenders = vec![
        Contender::new(OURS, || {
            let [echo, way] = session.move_on()?;
            again.push(way);
            Ok(echo)
        }),
        Contender::new(LOGIN, || log_in(&network.laptop)),
    ];
    let name = format!("a move, {}", way.name());
    let samples = take_turns(&name, contenders, bench.runs)?;
    let row = |name, ours| Row::new(name, Unit::Milliseconds, ours).beside(LOGIN, samples[LOGIN].clone());
    Ok(vec![
        row(name, samples[OURS].clone()),
        row("… until it goes so again".into(), again.into_iter().collect()),
    ])
}
