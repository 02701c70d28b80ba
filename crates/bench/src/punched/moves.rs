//! From one café to another, until a key is echoed there, and until that goes through a hole again; beside what a login takes
//! there, which comes first.

use std::time::Duration;

use anyhow::Result;
use lab::{Lab, Terminal, USER};

use super::network::{HOLE_LASTS, Network, Spot};
use super::{BY_SSH, OURS, PATIENCE, PROMPT, SSH, log};
use crate::Bench;
use crate::clock::{milliseconds, milliseconds_since, rest};
use crate::row::{Aim, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

const ROUND_TRIP: Duration = Duration::from_millis(50);
const LOGIN: &str = "a login by ssh";

/// Before each move. By then no race of the client's is under way, and the hole of the last time is gone.
const REST: Duration = HOLE_LASTS.saturating_add(Duration::from_secs(5));

/// In milliseconds.
const AIM: Aim = Aim::AbovePeer(1_000.0);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    let network = Network::raise(bench, &lab, ROUND_TRIP)?;
    let mut session = Session::open(&network)?;
    let mut holes = Vec::new();
    let contenders = vec![
        Contender::new(OURS, || {
            let [echo, hole] = session.move_on()?;
            holes.push(hole);
            Ok(echo)
        }),
        Contender::new(LOGIN, || {
            let login = network.laptop.command(SSH[0]).args(&SSH[1..]).arg("true").as_user(USER);
            Ok(Some(milliseconds(login.run(PATIENCE)?.took)))
        }),
    ];
    let name = "a move, 50 ms round trip";
    let samples = take_turns(name, contenders, bench.runs)?;
    let row = |name, ours| Row::new(name, Unit::Milliseconds, ours).beside(LOGIN, samples[LOGIN].clone());
    Ok(vec![
        row(name, samples[OURS].clone()).aiming_at(AIM),
        row("… until it goes through a hole again", holes.into_iter().collect()),
    ])
}

struct Session<'a> {
    network: &'a Network,
    terminal: Terminal,
    moves: u32,
}

impl<'a> Session<'a> {
    fn open(network: &'a Network) -> Result<Self> {
        let command = network.laptop.command(OURS).arg(log::OPTION).args(BY_SSH).as_user(USER);
        let terminal = network.laptop.terminal(&command, 24, 80)?;
        terminal.wait_for(PROMPT, PATIENCE)?;
        log::wait_for_a_hole(&network.laptop, 0)?;
        Ok(Self { network, terminal, moves: 0 })
    }

    /// Until a key is echoed, and until a hole answers.
    fn move_on(&mut self) -> Result<[Reading; 2]> {
        if self.moves > 0 {
            let holes = log::holes(&self.network.laptop)?;
            self.network.go(Spot::CafeA, self.moves)?;
            log::wait_for_a_hole(&self.network.laptop, holes)?;
        }
        self.clear()?;
        rest(REST)?;
        let holes = log::holes(&self.network.laptop)?;
        self.network.go(Spot::CafeB, self.moves)?;
        let start = net::clock::now();
        self.terminal.type_text("x")?;
        let is_echoed = self.terminal.wait_for(&format!("{PROMPT} x"), PATIENCE).is_ok();
        let echo = is_echoed.then(|| milliseconds_since(start));
        let is_direct = log::wait_for_a_hole(&self.network.laptop, holes).is_ok();
        Ok([echo, is_direct.then(|| milliseconds_since(start))])
    }

    fn clear(&mut self) -> Result<()> {
        self.moves += 1;
        let (number, answer) = (self.moves, 1_000 + self.moves);
        self.terminal.type_text(&format!("\x03\x15clear; echo =$((1000+{number}))=\r"))?;
        self.terminal.wait_until("an answer and a prompt", PATIENCE, |screen| {
            screen.contains(&format!("={answer}=")) && screen.trim_end().ends_with(PROMPT)
        })
    }
}
