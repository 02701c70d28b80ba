//! From one café to another, until a key is echoed there, and until that goes through a hole again; beside what a login takes
//! there, which comes first.

use std::time::Duration;

use anyhow::Result;
use lab::{Host, Impairment, Lab, Nat, Terminal, USER};

use super::log::Kind;
use super::network::{HOLE_LASTS, Network, Spot};
use super::{BY_SSH, OURS, PATIENCE, PROMPT, SSH, log};
use crate::Bench;
use crate::clock::{milliseconds, milliseconds_since, rest};
use crate::row::{Aim, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

const THERE: Duration = Duration::from_millis(25);
pub(crate) const LOGIN: &str = "a login by ssh";

/// Before each move. By then no race of the client's is under way, and the hole of the last time is gone.
const REST: Duration = HOLE_LASTS.saturating_add(Duration::from_secs(5));

/// In milliseconds.
const AIM: Aim = Aim::AbovePeer(1_000.0);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    let network = Network::raise(bench, &lab, &Nat::home("wan0"), Impairment::NONE.delay(THERE))?;
    let mut session = Session::open(&network, &BY_SSH, Kind::Punched)?;
    let mut holes = Vec::new();
    let contenders = vec![
        Contender::new(OURS, || {
            let [echo, hole] = session.move_on()?;
            holes.push(hole);
            Ok(echo)
        }),
        Contender::new(LOGIN, || log_in(&network.laptop)),
    ];
    let name = "a move, 50 ms round trip";
    let samples = take_turns(name, contenders, bench.runs)?;
    let row = |name, ours| Row::new(name, Unit::Milliseconds, ours).beside(LOGIN, samples[LOGIN].clone());
    Ok(vec![
        row(name, samples[OURS].clone()).aiming_at(AIM),
        row("… until it goes through a hole again", holes.into_iter().collect()),
    ])
}

pub(crate) fn log_in(laptop: &Host) -> Result<Reading> {
    let login = laptop.command(SSH[0]).args(&SSH[1..]).arg("true").as_user(USER);
    Ok(Some(milliseconds(login.run(PATIENCE)?.took)))
}

pub(crate) struct Session<'a> {
    network: &'a Network,
    /// By which it is to go.
    kind: Kind,
    terminal: Terminal,
    moves: u32,
}

impl<'a> Session<'a> {
    pub(crate) fn open(network: &'a Network, words: &[&str], kind: Kind) -> Result<Self> {
        log::forget(&network.laptop)?;
        let command = network.laptop.command(OURS).arg(log::OPTION).args(words).as_user(USER);
        let terminal = network.laptop.terminal(&command, 24, 80)?;
        terminal.wait_for(PROMPT, PATIENCE)?;
        log::wait_for_move(&network.laptop, kind, 0)?;
        Ok(Self { network, kind, terminal, moves: 0 })
    }

    /// Until a key is echoed, and until such a way answers again.
    pub(crate) fn move_on(&mut self) -> Result<[Reading; 2]> {
        if self.moves > 0 {
            let before = log::moves(&self.network.laptop, self.kind)?;
            self.network.go(Spot::CafeA, self.moves)?;
            log::wait_for_move(&self.network.laptop, self.kind, before)?;
        }
        self.clear()?;
        rest(REST)?;
        let before = log::moves(&self.network.laptop, self.kind)?;
        self.network.go(Spot::CafeB, self.moves)?;
        let start = net::clock::now();
        self.terminal.type_text("x")?;
        let is_echoed = self.terminal.wait_for(&format!("{PROMPT} x"), PATIENCE).is_ok();
        let echo = is_echoed.then(|| milliseconds_since(start));
        let is_there = log::wait_for_move(&self.network.laptop, self.kind, before).is_ok();
        Ok([echo, is_there.then(|| milliseconds_since(start))])
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
