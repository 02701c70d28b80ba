//! From a key to its echo; and beside stock mosh by UDP, which another laptop may use.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Blocked, Host, Impairment, Lab, Terminal, USER, WriteUp};

use super::{PATIENCE, SSH};
use crate::Bench;
use crate::clock::{milliseconds_since, rest};
use crate::row::{Aim, Row, Unit};
use crate::sample::Sample;
use crate::turns::progress;

const THERE: Duration = Duration::from_millis(25);
const MOSH: &str = "stock mosh, by UDP";
const PROMPT: &str = "alice@router:~$";

const TURNS_A_RUN: usize = 4;
const KEYS_A_TURN: usize = 20;
/// Between an echo and the next key: somebody types.
const PAUSE: Duration = Duration::from_millis(50);

/// In milliseconds, of the slowest in twenty.
const AIM: Aim = Aim::AbovePeer(5.0);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let network = WriteUp::raise(&lab)?;
    let neighbour = lab.host("neighbour").attach("eth0", &network.internet, &["20.0.0.10/24"]).start()?;
    network.laptop.block_udp(Blocked::BothWays)?;
    network.internet.impair(Impairment::NONE.delay(THERE))?;
    let mut typists = [
        Typist::open(&network.laptop, &["moshpunch", "--predict=never", "router"])?,
        Typist::open(&network.laptop, &["ssh", "router"])?,
        Typist::open(&neighbour, &["mosh", "--predict=never", "router"])?,
    ];
    for turn in 1..=bench.runs * TURNS_A_RUN {
        progress(&format!("echo: turn {turn} of {}", bench.runs * TURNS_A_RUN));
        typists.iter_mut().try_for_each(Typist::take_turn)?;
    }
    progress("");
    let [ours, ssh, mosh] = typists.map(|typist| typist.echoes.into_iter().map(Some).collect::<Sample>());
    let row = |name, ours: &Sample, peer, theirs: &Sample| {
        Row::new(name, Unit::Milliseconds, ours.clone()).beside(peer, theirs.clone())
    };
    let [our_slowest, ssh_slowest, mosh_slowest] = [&ours, &ssh, &mosh].map(slowest_in_twenty);
    Ok(vec![
        row("echo, 50 ms round trip", &ours, SSH, &ssh),
        row("… of the slowest in twenty", &our_slowest, SSH, &ssh_slowest).aiming_at(AIM),
        row("the same", &ours, MOSH, &mosh),
        row("… of the slowest in twenty", &our_slowest, MOSH, &mosh_slowest).aiming_at(AIM),
    ])
}

fn slowest_in_twenty(sample: &Sample) -> Sample {
    sample.quantile(950).map_or_else(Sample::default, Sample::from)
}

struct Typist {
    terminal: Terminal,
    /// In milliseconds.
    echoes: Vec<f64>,
}

impl Typist {
    fn open(laptop: &Host, words: &[&str]) -> Result<Self> {
        let command = laptop.command(words[0]).args(&words[1..]).as_user(USER);
        let terminal = laptop.terminal(&command, 24, 80)?;
        terminal.wait_for(PROMPT, PATIENCE)?;
        Ok(Self { terminal, echoes: Vec::new() })
    }

    fn take_turn(&mut self) -> Result<()> {
        for typed in 1..=KEYS_A_TURN {
            rest(PAUSE)?;
            let start = net::clock::now();
            self.terminal.type_text("x")?;
            self.terminal.wait_for(&format!("$ {}", "x".repeat(typed)), PATIENCE)?;
            self.echoes.push(milliseconds_since(start));
        }
        self.terminal.type_text("\x15")?;
        let is_empty = |screen: &str| screen.trim_end().ends_with(PROMPT);
        self.terminal.wait_until("an empty line", PATIENCE, is_empty).context("between two turns")
    }
}
